#include "ecosystem/license_text.hpp"

#include "base/encoding.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_license = 1000;
constexpr std::string_view k_blanks = " \t\r\n\f\v";

}  // namespace

std::string license_text(std::string_view stated) {
  std::string line;
  while (true) {
    const auto begin = stated.find_first_not_of(k_blanks);
    if (begin == std::string_view::npos) break;
    stated.remove_prefix(begin);
    const auto word = stated.substr(0, stated.find_first_of(k_blanks));
    line += line.empty() ? "" : " ";
    line += word;
    if (line.size() > k_max_license) return {};
    stated.remove_prefix(word.size());
  }
  auto out = printable(line);
  return out.size() <= k_max_license ? out : std::string();
}

}  // namespace liftlock
