// https://spec.commonmark.org/0.31.2/, as far as it decides which bytes are prose.
#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "translate/piece.hpp"

namespace liftlock::translate {
namespace {

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

bool only_of(std::string_view text, std::string_view set) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return is_one_of(c, set); });
}

/// A line without its newline, and the newline.
struct Line {
  std::string_view text, end;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> out;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    const auto size = std::min(newline, text.size());
    out.push_back({text.substr(0, size), text.substr(size, newline == std::string_view::npos ? 0 : 1)});
    text.remove_prefix(size + out.back().end.size());
  }
  return out;
}

/// Blanks and the marks of quotes before the words of a line.
std::size_t quote_prefix(std::string_view line) {
  const auto end = line.find_first_not_of(" \t>");
  return std::min(end, line.size());
}

std::size_t quote_depth(std::string_view line) {
  const auto prefix = line.substr(0, quote_prefix(line));
  return static_cast<std::size_t>(std::count(prefix.begin(), prefix.end(), '>'));
}

/// "- ", "12. ", "- [x] ": its size, or 0.
std::size_t item_mark(std::string_view rest) {
  auto at = rest.find_first_not_of("0123456789");
  if (at == std::string_view::npos) return 0;
  const bool numbered = at > 0 && at < 10 && is_one_of(rest[at], ".)");
  if (!numbered && !(at == 0 && is_one_of(rest[0], "-*+"))) return 0;
  const auto words = rest.find_first_not_of(" \t", at + 1);
  if (words == std::string_view::npos || words == at + 1) return 0;
  for (const std::string_view box : {"[ ] ", "[x] ", "[X] "}) {
    if (rest.substr(words).starts_with(box)) return words + box.size();
  }
  return words;
}

/// "## ": its size, or 0.
std::size_t heading_mark(std::string_view rest) {
  const auto at = rest.find_first_not_of('#');
  if (at == 0 || at > 6 || at == std::string_view::npos || !is_one_of(rest[at], " \t")) return 0;
  return std::min(rest.find_first_not_of(" \t", at), rest.size());
}

/// "[^1]: ": its size, or 0.
std::size_t footnote_mark(std::string_view rest) {
  const auto end = rest.find("]:");
  if (!rest.starts_with("[^") || end == std::string_view::npos) return 0;
  return std::min(rest.find_first_not_of(" \t", end + 2), rest.size());
}

bool is_definition(std::string_view rest) {
  return rest.starts_with('[') && !rest.starts_with("[^") && rest.find("]:") < rest.find(' ') &&
         rest.find("]:") != std::string_view::npos;
}

/// A line between the heading and the body of a table.
bool is_table_rule(std::string_view rest) {
  return rest.find('|') != std::string_view::npos && rest.find('-') != std::string_view::npos &&
         only_of(rest, "|:- \t\r");
}

/// ---, ***, ===: rules, and the lines under headings.
bool is_rule(std::string_view rest) {
  const auto words = trim(rest);
  return !words.empty() && is_one_of(words[0], "-=*_") && only_of(words, std::string{words[0], ' '});
}

std::string_view fence_of(std::string_view rest) {
  if (!rest.starts_with("```") && !rest.starts_with("~~~")) return {};
  return rest.substr(0, std::min(rest.find_first_not_of(rest[0]), rest.size()));
}

bool begins_html(std::string_view rest) {
  return rest.size() > 1 && rest[0] == '<' &&
         (std::isalpha(static_cast<unsigned char>(rest[1])) != 0 || is_one_of(rest[1], "/!?")) &&
         // <https://…> is a link within prose.
         rest.substr(0, std::min(rest.find('>'), rest.size())).find("://") == std::string_view::npos;
}

class Cutter {
 public:
  explicit Cutter(std::string_view text) : m_lines(lines_of(text)) {}

  std::vector<Piece> cut() {
    front_matter();
    while (m_at < m_lines.size()) block();
    return std::move(m_out);
  }

 private:
  const Line& line() const { return m_lines[m_at]; }
  std::string_view rest(std::size_t at) const { return m_lines[at].text.substr(quote_prefix(m_lines[at].text)); }

  void keep(std::string_view bytes) {
    if (!bytes.empty()) m_out.push_back({std::string(bytes), {}, false});
  }
  void keep_line() {
    keep(line().text);
    keep(line().end);
    ++m_at;
  }

  void front_matter() {
    if (m_lines.empty() || trim(m_lines[0].text) != "---" || !m_lines[0].text.starts_with("---")) return;
    for (std::size_t end = 1; end < m_lines.size(); ++end) {
      const auto text = trim(m_lines[end].text);
      if (text != "---" && text != "...") continue;
      while (m_at <= end) keep_line();
      return;
    }
  }

  void block() {
    const auto text = rest(m_at);
    const auto indent = line().text.find_first_not_of(" ");
    const bool code = !m_in_list && m_after_blank && quote_depth(line().text) == 0 &&
                      (line().text.starts_with('\t') || (indent != std::string_view::npos && indent >= 4));
    if (trim(text).empty()) {
      keep_line();
      m_after_blank = true;
      return;
    }
    const bool indented = line().text[0] == ' ' || line().text[0] == '\t';
    if (m_after_blank && !indented && item_mark(text) == 0) m_in_list = false;
    if (!fence_of(text).empty()) {
      fenced(fence_of(text));
    } else if (code || is_definition(text) || is_rule(text)) {
      keep_line();
      if (code) return;  // the next line may be code, too
    } else if (begins_html(text)) {
      html();
    } else if (m_at + 1 < m_lines.size() && is_table_rule(rest(m_at + 1)) && text.find('|') != std::string_view::npos) {
      table();
    } else {
      prose();
    }
    m_after_blank = false;
  }

  void fenced(std::string_view fence) {
    keep_line();
    while (m_at < m_lines.size()) {
      const auto text = trim(rest(m_at));
      const bool ends = text.size() >= fence.size() && only_of(text, fence.substr(0, 1));
      keep_line();
      if (ends) return;
    }
  }

  void html() {
    std::string_view end;
    const auto text = to_lower(rest(m_at));
    if (text.starts_with("<!--")) end = "-->";
    for (const std::string_view tag : {"pre", "script", "style", "textarea"}) {
      if (text.substr(1).starts_with(tag))
        end = tag == "pre" ? "</pre>" : tag == "script" ? "</script>" : tag == "style" ? "</style>" : "</textarea>";
    }
    while (m_at < m_lines.size()) {
      const auto words = to_lower(rest(m_at));
      if (end.empty() && trim(words).empty()) return;
      keep_line();
      if (!end.empty() && words.find(end) != std::string::npos) return;
    }
  }

  void table() {
    while (m_at < m_lines.size() && !trim(rest(m_at)).empty() && rest(m_at).find('|') != std::string_view::npos) {
      if (is_table_rule(rest(m_at))) {
        keep_line();
        continue;
      }
      auto row = line().text;
      const auto prefix = quote_prefix(row);
      keep(row.substr(0, prefix));
      row.remove_prefix(prefix);
      while (!row.empty()) {
        std::size_t bar = 0;
        while (bar < row.size() && (row[bar] != '|' || (bar > 0 && row[bar - 1] == '\\'))) ++bar;
        words(row.substr(0, bar), true);
        keep(row.substr(bar, 1));
        row.remove_prefix(std::min(row.size(), bar + 1));
      }
      keep(line().end);
      ++m_at;
    }
  }

  /// The words between the blanks around them.
  void words(std::string_view text, bool cell) {
    const auto inner = trim(text);
    if (inner.empty()) return keep(text);
    const auto at = static_cast<std::size_t>(inner.data() - text.data());
    keep(text.substr(0, at));
    m_out.push_back({std::string(inner), std::string(inner), cell});
    keep(text.substr(at + inner.size()));
  }

  /// A heading, or a paragraph with the mark of the item, quote or footnote that it begins.
  void prose() {
    auto text = line().text;
    std::size_t mark = quote_prefix(text);
    const auto heading = heading_mark(text.substr(mark));
    if (heading > 0) {
      mark += heading;
      auto end = text.find_last_not_of("# \t\r");
      end = end == std::string_view::npos || end < mark ? text.size() : end + 1;
      m_in_list = false;
      keep(text.substr(0, mark));
      words(text.substr(mark, end - mark), false);
      keep(text.substr(end));
      keep(line().end);
      ++m_at;
      return;
    }
    const bool indented = !text.empty() && is_one_of(text[0], " \t");
    bool item = false;
    for (auto more = item_mark(text.substr(mark)); more > 0; more = item_mark(text.substr(mark))) {
      mark += more;
      item = true;
    }
    m_in_list = item || (m_in_list && (indented || !m_after_blank));
    mark += footnote_mark(text.substr(mark));
    keep(text.substr(0, mark));
    paragraph(text.substr(mark));
  }

  void paragraph(std::string_view first) {
    Piece piece;
    auto text = first;
    const auto depth = quote_depth(line().text);
    for (;;) {
      const auto inner = trim(text);
      const auto at = inner.empty() ? 0 : static_cast<std::size_t>(inner.data() - text.data());
      auto words = inner;
      const bool hard = inner.ends_with('\\') || text.substr(at + inner.size()).starts_with("  ");
      if (hard && words.ends_with('\\')) words.remove_suffix(1);
      const auto tail = text.substr(at + words.size());
      piece.text += std::string(text.substr(0, at)) + std::string(words);
      piece.words += std::string(piece.words.empty() ? "" : " ") + std::string(words);
      const auto end = line().end;
      ++m_at;
      if (hard || !goes_on(depth)) {
        if (!piece.text.empty()) m_out.push_back(std::move(piece));
        keep(tail);
        keep(end);
        return;
      }
      const auto prefix = quote_prefix(line().text);
      piece.text += std::string(tail) + std::string(end) + std::string(line().text.substr(0, prefix));
      text = line().text.substr(prefix);
    }
  }

  /// Is this line one of the paragraph before it?
  bool goes_on(std::size_t depth) const {
    if (m_at >= m_lines.size()) return false;
    const auto text = rest(m_at);
    const bool table = m_at + 1 < m_lines.size() && is_table_rule(rest(m_at + 1));
    return !trim(text).empty() && quote_depth(line().text) == depth && heading_mark(text) == 0 &&
           item_mark(text) == 0 && footnote_mark(text) == 0 && fence_of(text).empty() && !is_rule(text) &&
           !begins_html(text) && !table;
  }

  std::vector<Line> m_lines;
  std::vector<Piece> m_out;
  std::size_t m_at = 0;
  bool m_in_list = false, m_after_blank = true;
};

}  // namespace

std::vector<Piece> cut_markdown(std::string_view text) {
  return Cutter(text).cut();
}

}  // namespace liftlock::translate
