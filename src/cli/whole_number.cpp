#include "cli/whole_number.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock {

std::function<std::string(const std::string&)> whole_number(std::uint64_t min, std::uint64_t max) {
  return [min, max](const std::string& text) -> std::string {
    const auto number = parse_uint(text);
    if (number && *number >= min && *number <= max) return {};
    return fmt::format("'{}' is no whole number from {} to {}", printable(text), min, max);
  };
}

}  // namespace liftlock
