// Any bytes as a request of Ollama's: refused, or a request that passes as one of OpenAI's. And as an engine's answer.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/ollama.hpp"

namespace {

using namespace liftlock;

void try_as(ollama::Request (*translate)(const Json&), EngineRequest (*narrow)(const Json&), const Json& body) {
  ollama::Request request;
  try {
    request = translate(body);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_request) std::abort();
    return;
  }
  if (request.only_load) return;
  if (request.engine.path == "/v1/completions") narrow = narrow_completion_request;
  if (narrow(request.engine.body).body != request.engine.body) std::abort();
}

template <typename F>
void try_answer(F&& translate) {
  try {
    translate();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::engine_failed) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Json body;
  try {
    body = parse_json(as_text({data, size}), k_request_limits);
  } catch (const Error&) {
    return 0;
  }
  try_as(ollama::chat_request, narrow_chat_request, body);
  try_as(ollama::generate_request, narrow_chat_request, body);
  try_as(ollama::embed_request, narrow_embeddings_request, body);
  try_as(ollama::embeddings_request, narrow_embeddings_request, body);
  try_answer([&] { ollama::answer(ollama::Endpoint::chat, body, {}); });
  try_answer([&] { ollama::embed_answer(body, {}); });
  try_answer([&] {
    ollama::StreamTranslator stream(ollama::Endpoint::generate, {});
    stream.feed(body);
    stream.feed(body);
    stream.finish({});
  });
  return 0;
}
