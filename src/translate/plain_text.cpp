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

/// "- ", "12. ", "- [x] ": its size, or 0.
std::size_t item_mark(std::string_view words) {
  std::size_t size = words.find_first_not_of("0123456789");
  if (size == std::string_view::npos) return 0;
  if (size > 0) {
    size = words[size] == '.' || words[size] == ')' ? size + 1 : 0;
  } else {
    for (const std::string_view mark : {"-", "*", "+", "•", "–"}) {
      if (words.starts_with(mark)) size = mark.size();
    }
  }
  const auto end = size == 0 ? size : words.find_first_not_of(" \t", size);
  if (end == size || end == std::string_view::npos) return 0;
  for (const std::string_view box : {"[ ] ", "[x] ", "[X] "}) {
    if (words.substr(end).starts_with(box)) return end + box.size();
  }
  return end;
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
      const auto mark = item_mark(line.words);
      keep(line.words.substr(0, mark));
      const auto words = line.words.substr(mark);
      Piece paragraph{std::string(words), std::string(words), false};
      while (line.words.size() >= k_full_line && !text.empty()) {
        const auto next = next_line(text);
        if (next.words.empty() || !next.indent.empty() || item_mark(next.words) > 0) break;
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
