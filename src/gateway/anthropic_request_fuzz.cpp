// Any bytes as a request of Anthropic's: refused, or a request that passes as one of OpenAI's. And as an engine's
// answer.
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/anthropic.hpp"

namespace {

using namespace liftlock;

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
  std::optional<EngineRequest> request;
  try {
    request = anthropic::messages_request(body);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_request) std::abort();
  }
  if (request && narrow_chat_request(request->body).body != request->body) std::abort();
  try_answer([&] { anthropic::message(body, "msg_1", "demo"); });
  try_answer([&] {
    anthropic::StreamTranslator stream("msg_1", "demo");
    stream.feed(body);
    stream.feed(body);
    stream.finish();
  });
  return 0;
}
