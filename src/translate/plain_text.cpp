#include "base/text.hpp"
#include "translate/piece.hpp"

namespace liftlock::translate {
namespace {

/// A shorter line was ended on purpose: in an address, a poem, a list.
constexpr std::size_t k_full_line = 50;

struct Line {
  std::string_view indent, words, end;
};

Line next_line(std::string_view text) {
  const auto newline = text.find('\n');
  const auto whole = newline == std::string_view::npos ? text : text.substr(0, newline + 1);
  Line line;
  line.words = trim(whole);
  if (line.words.empty()) {
    line.end = whole;
    return line;
  }
  const auto at = static_cast<std::size_t>(line.words.data() - whole.data());
  line.indent = whole.substr(0, at);
  line.end = whole.substr(at + line.words.size());
  return line;
}

bool begins_item(std::string_view words) {
  const auto digits = words.find_first_not_of("0123456789");
  if (digits != 0 && digits != std::string_view::npos && (words[digits] == '.' || words[digits] == ')')) return true;
  for (const std::string_view mark : {"- ", "* ", "+ ", "• ", "– "}) {
    if (words.starts_with(mark)) return true;
  }
  return false;
}

}  // namespace

std::vector<Piece> cut_plain_text(std::string_view text) {
  std::vector<Piece> out;
  const auto keep = [&](std::string_view bytes) {
    if (!bytes.empty()) out.push_back({std::string(bytes), {}, false});
  };
  while (!text.empty()) {
    auto line = next_line(text);
    text.remove_prefix(line.indent.size() + line.words.size() + line.end.size());
    keep(line.indent);
    if (!line.words.empty()) {
      Piece paragraph{std::string(line.words), std::string(line.words), false};
      while (line.words.size() >= k_full_line && !text.empty()) {
        const auto next = next_line(text);
        if (next.words.empty() || !next.indent.empty() || begins_item(next.words)) break;
        paragraph.text += std::string(line.end) + std::string(next.words);
        paragraph.words += " " + std::string(next.words);
        text.remove_prefix(next.words.size() + next.end.size());
        line = next;
      }
      out.push_back(std::move(paragraph));
    }
    keep(line.end);
  }
  return out;
}

}  // namespace liftlock::translate
