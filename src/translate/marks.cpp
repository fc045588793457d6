#include "translate/marks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "translate/emphasis.hpp"

namespace liftlock::translate {
namespace {

constexpr std::string_view k_open = "⟦", k_close = "⟧";
constexpr std::size_t k_longest_tag = 2000;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

std::size_t address(std::string_view rest) {
  if (!rest.starts_with("http://") && !rest.starts_with("https://") && !rest.starts_with("mailto:")) return 0;
  auto end = std::min(rest.find_first_of(" \t\n<>\"`)]}|"), rest.size());
  // The full stop behind it ends the sentence.
  while (end > 0 && std::string_view(".,;:!?'").find(rest[end - 1]) != std::string_view::npos) --end;
  return end;
}

std::size_t between(std::string_view rest, std::string_view open, std::string_view close) {
  if (!rest.starts_with(open)) return 0;
  const auto end = rest.substr(0, k_longest_tag).find(close, open.size());
  return end == std::string_view::npos ? 0 : end + close.size();
}

/// `code`, with as many backticks at its end as at its beginning.
std::size_t code(std::string_view rest) {
  const auto ticks = std::min(rest.find_first_not_of('`'), rest.size());
  if (ticks == 0) return 0;
  for (auto at = ticks; at < rest.size();) {
    const auto begin = rest.find('`', at);
    if (begin == std::string_view::npos) return 0;
    const auto end = std::min(rest.find_first_not_of('`', begin), rest.size());
    if (end - begin == ticks) return end;
    at = end;
  }
  return 0;
}

std::size_t tag(std::string_view rest) {
  if (rest.size() < 2 || rest[0] != '<' || (!is_word(rest[1]) && rest[1] != '/' && rest[1] != '!')) return 0;
  return between(rest, "<", ">");
}

std::size_t entity(std::string_view rest) {
  if (!rest.starts_with('&')) return 0;
  const auto end = rest.substr(0, 34).find(';');
  if (end == std::string_view::npos || end == 1) return 0;
  const auto name = rest.substr(1, end - 1);
  return std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '#'; }) ? end + 1 : 0;
}

/// The ']' of the '[' that the text begins with, if an address or a reference follows it.
std::size_t end_of_link_text(std::string_view rest) {
  int depth = 0;
  for (std::size_t at = 0; at < rest.size(); ++at) {
    if (rest[at] == '\\') {
      ++at;
    } else if (rest[at] == '`') {
      const auto size = code(rest.substr(at));
      at += size > 0 ? size - 1 : 0;
    } else if (rest[at] == '[') {
      ++depth;
    } else if (rest[at] == ']' && --depth == 0) {
      const bool link = at + 1 < rest.size() && (rest[at + 1] == '(' || rest[at + 1] == '[');
      return link ? at : std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

/// "](https://…)" or "][name]": its size, or 0.
std::size_t link_tail(std::string_view rest) {
  const char open = rest[1], close = open == '(' ? ')' : ']';
  int depth = 0;
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '\\') {
      ++at;
    } else if (rest[at] == open) {
      ++depth;
    } else if (rest[at] == close && --depth == 0) {
      return at + 1;
    }
  }
  return 0;
}

/// A link or an image whose words are translated and whose address is not.
struct Link {
  std::size_t begin = 0;  ///< of "[" or "!["; 0: none
  std::size_t words = 0;  ///< where its words end
  std::size_t tail = 0;   ///< "](https://…)"

  std::size_t size() const { return words + tail; }
};

Link link_at(std::string_view rest) {
  const std::size_t begin = rest.starts_with("![") ? 2 : rest.starts_with('[') ? 1 : 0;
  if (begin == 0) return {};
  const auto words_end = end_of_link_text(rest.substr(begin - 1));
  if (words_end == std::string_view::npos) return {};
  const auto end = begin - 1 + words_end;
  const auto tail = link_tail(rest.substr(end));
  return tail == 0 ? Link{} : Link{begin, end, tail};
}

class Marker {
 public:
  explicit Marker(Markup markup) : m_markup(markup) {}

  void add(std::string_view text) {
    const auto emphasis = emphasis_of(text);
    std::vector<std::size_t> opened(emphasis.size());
    auto next = emphasis.begin();
    for (std::size_t at = 0; at < text.size();) {
      if (next != emphasis.end() && next->at == at) {
        const Span span{std::string(text.substr(at, next->size)), next->closes, opened[next->pair], true};
        opened[next->pair] = put(span);
        at += next++->size;
      } else {
        at += add_next(text.substr(at));
      }
    }
  }

  Marked marked;

 private:
  std::vector<EmphasisMark> emphasis_of(std::string_view text) const {
    if (m_markup == Markup::none) return {};
    return emphasis_in(text, [&](std::size_t at) {
      const auto size = kept(text.substr(at));
      return size > 0 ? size : link(text.substr(at)).size();
    });
  }

  /// @return how much of it
  std::size_t add_next(std::string_view rest) {
    if (const auto size = kept(rest); size > 0) {
      put({std::string(rest.substr(0, size)), false, 0});
      return size;
    }
    if (const auto found = link(rest); found.begin > 0) {
      const auto opened = put({std::string(rest.substr(0, found.begin)), false, 0});
      ++m_depth;
      add(rest.substr(found.begin, found.words - found.begin));
      --m_depth;
      put({std::string(rest.substr(found.words, found.tail)), true, opened});
      return found.size();
    }
    const auto size = m_markup == Markup::none ? 1 : std::max<std::size_t>(escape(rest), 1);
    marked.text += rest.substr(0, size);
    return size;
  }

  std::size_t kept(std::string_view rest) const {
    std::size_t size = address(rest);
    if (size == 0) size = between(rest, "{{", "}}");
    if (size == 0 && rest.starts_with(k_open)) size = k_open.size();
    if (size == 0 && rest.starts_with(k_close)) size = k_close.size();
    if (m_markup == Markup::none) return size;
    for (const auto find : {code, tag, entity}) {
      if (size == 0) size = find(rest);
    }
    return size == 0 ? between(rest, "[^", "]") : size;
  }

  Link link(std::string_view rest) const { return m_markup == Markup::none || m_depth > 4 ? Link{} : link_at(rest); }

  std::size_t put(Span span) {
    marked.spans.push_back(std::move(span));
    marked.text += fmt::format("{}{}{}", k_open, marked.spans.size(), k_close);
    return marked.spans.size();
  }

  Markup m_markup;
  int m_depth = 0;
};

/// The number of the mark that the text begins with, and its size; size 0: none.
struct Found {
  std::size_t number = 0, size = 0;
};

Found mark_at(std::string_view text) {
  if (!text.starts_with(k_open)) return {};
  const auto end = text.substr(0, 40).find(k_close);
  if (end == std::string_view::npos) return {};
  const auto number = parse_uint(trim(text.substr(k_open.size(), end - k_open.size())));
  return number ? Found{*number, end + k_close.size()} : Found{};
}

std::vector<std::size_t> marks_in(std::string_view text) {
  std::vector<std::size_t> out;
  for (auto at = text.find(k_open); at != std::string_view::npos; at = text.find(k_open, at + 1)) {
    if (const auto found = mark_at(text.substr(at)); found.size > 0) out.push_back(found.number);
  }
  return out;
}

/// What an answer comes to, with the blanks around emphasis where they belong.
class Composer {
 public:
  void add(char c) {
    if (c == ' ' && m_begin) return move_out();
    begin_words(is_word(c) || static_cast<unsigned char>(c) >= 0x80);
    m_out += c;
  }
  void add(const Span& span) {
    if (span.hugs && span.closes) {
      while (m_out.ends_with(' ')) {
        m_out.pop_back();
        m_owes_blank = true;
      }
      m_begin.reset();
    } else {
      const auto begin = m_begin;
      begin_words(true);
      if (span.hugs) m_begin = begin ? begin : m_out.size();
    }
    m_out += span.text;
  }
  std::string text() && { return std::move(m_out); }

 private:
  void move_out() {
    if (*m_begin == 0 || m_out[*m_begin - 1] == ' ') return;
    m_out.insert(*m_begin, 1, ' ');
    ++*m_begin;
  }
  void begin_words(bool touch) {
    if (m_owes_blank && touch) m_out += ' ';
    m_owes_blank = false;
    m_begin.reset();
  }

  std::string m_out;
  std::optional<std::size_t> m_begin;  ///< of emphasis whose words are to come
  bool m_owes_blank = false;           ///< there was one within emphasis, at its end
};

}  // namespace

Marked mark(std::string_view words, Markup markup) {
  Marker marker(markup);
  marker.add(words);
  return std::move(marker.marked);
}

std::vector<std::string> emphases(std::string_view words) {
  std::vector<std::string> out;
  for (const auto& span : mark(words, Markup::markdown).spans) {
    if (span.hugs && !span.closes) out.push_back(span.text);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::string> unmark(std::string_view answer, std::string_view part, const Marked& marked) {
  auto expected = marks_in(part);
  std::vector<std::size_t> seen;
  Composer out;
  while (!answer.empty()) {
    const auto found = mark_at(answer);
    if (found.size == 0) {
      if (answer.starts_with(k_open) || answer.starts_with(k_close)) return std::nullopt;
      out.add(answer[0]);
      answer.remove_prefix(1);
      continue;
    }
    if (found.number == 0 || found.number > marked.spans.size()) return std::nullopt;
    const auto& span = marked.spans[found.number - 1];
    const auto is_open = [&](std::size_t number) { return number == span.opened; };
    const bool opened_here = std::any_of(expected.begin(), expected.end(), is_open);
    if (span.closes && opened_here && std::none_of(seen.begin(), seen.end(), is_open)) return std::nullopt;
    seen.push_back(found.number);
    out.add(span);
    answer.remove_prefix(found.size);
  }
  std::sort(expected.begin(), expected.end());
  std::sort(seen.begin(), seen.end());
  if (seen != expected) return std::nullopt;
  return std::move(out).text();
}

}  // namespace liftlock::translate
