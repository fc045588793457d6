// Any bytes as the head of a request: what is accepted has one meaning for the length of its body.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "net/request_head.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static liftlock::RequestHead head;
  const std::string block(reinterpret_cast<const char*>(data), size);
  try {
    liftlock::parse_request_head(block, head);
  } catch (const liftlock::Error&) {
    return 0;
  }
  if (head.is_chunked && head.content_length) std::abort();
  if (head.fields.size() > liftlock::k_max_fields) std::abort();
  if (!head.is_http_1_0 && head.field("hOST").data() == nullptr) std::abort();
  return 0;
}
