#include "base/toml_text.hpp"

#include <algorithm>

namespace liftlock {
namespace {

/// In UTF-8 the range is EF A2 A0 … EF BB BE.
bool has_mishandled(std::string_view line) {
  for (auto at = line.find('\xef'); at != std::string_view::npos && at + 2 < line.size();
       at = line.find('\xef', at + 1)) {
    const auto tail = static_cast<unsigned char>(line[at + 1]) << 8 | static_cast<unsigned char>(line[at + 2]);
    if (tail >= 0xa2a0 && tail <= 0xbbbe) return true;
  }
  return false;
}

}  // namespace

std::optional<std::size_t> line_toml_mishandles(std::string_view text) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] == '#') continue;
    if (has_mishandled(line)) return number;
  }
  return std::nullopt;
}

}  // namespace liftlock
