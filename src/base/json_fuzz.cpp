// Any bytes as JSON: what is read is what the library's own reader makes of them, and what is refused as no JSON is
// refused by that, too.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using liftlock::ErrorCode;
  using liftlock::Json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto value = liftlock::parse_json(text);
    const auto other = Json::parse(text, nullptr, false);
    // Equal numbers may be of two kinds, which are written in two ways.
    if (other.is_discarded() || value != other || liftlock::dump_json(value) != liftlock::dump_json(other))
      std::abort();
  } catch (const liftlock::Error& error) {
    // The library takes a NUL for the end of the text.
    const bool has_nul = text.find('\0') != std::string_view::npos;
    if (error.code() == ErrorCode::json_invalid && !has_nul && Json::accept(text)) std::abort();
  }
  return 0;
}
