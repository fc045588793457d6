// Any bytes as a request of each kind: refused, or narrowed to what narrowing again does not change. And as an engine's
// answer.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/openai_request.hpp"
#include "gateway/responses.hpp"

namespace {

using namespace liftlock;

void try_as(EngineRequest (*narrow)(const Json&), EngineRequest (*again)(const Json&), const Json& body) {
  EngineRequest request;
  try {
    request = narrow(body);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_request) std::abort();
    return;
  }
  // Nothing that was narrowed is refused, so an Error here is a find.
  if (again(request.body).body != request.body) std::abort();
  if (request.stream != request.body.contains("stream_options")) std::abort();
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
  try_as(narrow_chat_request, narrow_chat_request, body);
  try_as(narrow_completion_request, narrow_completion_request, body);
  try_as(narrow_embeddings_request, narrow_embeddings_request, body);
  try_as(narrow_rerank_request, narrow_rerank_request, body);
  try_as(narrow_responses_request, narrow_chat_request, body);
  try_answer([&] { responses::answer(body, {}); });
  try_answer([&] {
    responses::StreamTranslator stream({});
    stream.feed(body);
    stream.feed(body);
    stream.finish();
  });
  return 0;
}
