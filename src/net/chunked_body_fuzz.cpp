// Any bytes as a chunked body, whole and byte by byte: both read the same, and never more than is allowed.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "net/chunked_body.hpp"

namespace {

constexpr std::uint64_t k_max = 4096;

/// What was read, with a mark for how it ended.
std::string read(std::string_view bytes, std::size_t step) {
  liftlock::ChunkedBody chunks(k_max);
  std::string body;
  try {
    while (!bytes.empty() && !chunks.is_done()) bytes.remove_prefix(chunks.feed(bytes.substr(0, step), body));
  } catch (const liftlock::Error&) {
    return "refused";
  }
  if (body.size() > k_max) std::abort();
  return body + (chunks.is_done() ? " whole " + std::to_string(bytes.size()) : " early");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (read(bytes, size) != read(bytes, 1)) std::abort();
  return 0;
}
