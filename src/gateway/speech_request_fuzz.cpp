// Any bytes as a form of /v1/audio/transcriptions: refused, or a recording within the body and known fields only.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/speech.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  // The first line is the Content-Type.
  const auto end = text.find('\n');
  const auto type = text.substr(0, end);
  const auto body = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  try {
    const auto request = narrow_speech_request(type, body, size % 2 == 0);
    const auto& recording = request.recording;
    if (recording.data() < body.data() || recording.data() + recording.size() > body.data() + body.size()) std::abort();
    if (!engine::is_language(request.task.language) || request.engine.model.empty()) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_request) std::abort();
  }
  return 0;
}
