// Where emphasis begins and ends in a line of Markdown: *x*, _x_, **x**, ~~x~~. Source:
// https://spec.commonmark.org/0.31.2/#emphasis-and-strong-emphasis, and strikethrough of GitHub Flavored Markdown.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

namespace liftlock::translate {

struct EmphasisMark {
  std::size_t at = 0, size = 0;  ///< bytes: "***" around the same words is one
  bool closes = false;
  std::size_t pair = 0;  ///< a number below the count of marks that both ends have, and no other mark
};

/// In the order of the text. What is no emphasis (2 * 3, snake_case, \*) is not among them.
/// @param skip how many bytes at a place hold none that counts here: code, a link …; 0: none of that begins there
std::vector<EmphasisMark> emphasis_in(std::string_view text, const std::function<std::size_t(std::size_t at)>& skip);

/// "\*": a character that means itself behind a backslash. 2, or 0.
std::size_t escape(std::string_view rest);

}  // namespace liftlock::translate
