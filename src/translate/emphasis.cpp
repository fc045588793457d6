#include "translate/emphasis.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace liftlock::translate {
namespace {

constexpr std::string_view k_delimiters = "*_~";
/// Looks back over no more than that many beginnings without an end: who writes more means no emphasis.
constexpr std::size_t k_most_open = 100;

/// The same character in a row; its ends take from the left what closes, and from the right what opens.
struct Run {
  std::size_t at, size;
  char what;
  bool opens, closes;
  std::size_t closed = 0, opened = 0;

  std::size_t left() const { return size - closed - opened; }
};

bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_punctuation(char c) {
  return std::ispunct(static_cast<unsigned char>(c)) != 0;
}

/// What is not ASCII counts as a letter.
Run run_at(std::string_view text, std::size_t at) {
  const auto end = std::min(text.find_first_not_of(text[at], at), text.size());
  const char before = at == 0 ? ' ' : text[at - 1], after = end == text.size() ? ' ' : text[end];
  const bool is_left = !is_blank(after) && (!is_punctuation(after) || is_blank(before) || is_punctuation(before));
  const bool is_right = !is_blank(before) && (!is_punctuation(before) || is_blank(after) || is_punctuation(after));
  Run run{.at = at, .size = end - at, .what = text[at], .opens = is_left, .closes = is_right};
  if (run.what == '_') {
    run.opens = is_left && (!is_right || is_punctuation(before));
    run.closes = is_right && (!is_left || is_punctuation(after));
  }
  return run;
}

std::vector<Run> runs_in(std::string_view text, const std::function<std::size_t(std::size_t)>& skip) {
  std::vector<Run> out;
  for (std::size_t at = 0; at < text.size();) {
    auto size = escape(text.substr(at));
    if (size == 0) size = skip(at);
    if (size == 0 && k_delimiters.find(text[at]) != std::string_view::npos) {
      out.push_back(run_at(text, at));
      size = out.back().size;
    }
    at += std::max<std::size_t>(size, 1);
  }
  return out;
}

bool go_together(const Run& opener, const Run& closer) {
  if (opener.what != closer.what) return false;
  if (opener.what == '~') return opener.size == closer.size && opener.size <= 2;
  // "*a**b*": the two in the middle do not end what the first one began.
  const bool is_ambiguous = opener.closes || closer.opens;
  const bool are_threes = opener.size % 3 == 0 && closer.size % 3 == 0;
  return !is_ambiguous || (opener.size + closer.size) % 3 != 0 || are_threes;
}

class Matcher {
 public:
  explicit Matcher(std::vector<Run> runs) : m_runs(std::move(runs)) {}

  std::vector<EmphasisMark> marks() {
    for (std::size_t at = 0; at < m_runs.size(); ++at) {
      while (m_runs[at].closes && m_runs[at].left() > 0 && close(at)) continue;
      if (m_runs[at].opens && m_runs[at].left() > 0) m_open.push_back(at);
    }
    std::sort(m_out.begin(), m_out.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return std::move(m_out);
  }

 private:
  bool close(std::size_t at) {
    auto& closer = m_runs[at];
    auto depth = m_open.size();
    const auto last = depth - std::min(depth, k_most_open);
    while (depth > last && !go_together(m_runs[m_open[depth - 1]], closer)) --depth;
    if (depth == last) return false;
    m_open.resize(depth);  // those between begin nothing
    auto& opener = m_runs[m_open.back()];
    std::size_t size = closer.what == '~' ? closer.size : 1;
    if (closer.what != '~' && opener.left() >= 2 && closer.left() >= 2) size = 2;
    opener.opened += size;
    put(opener, closer, size);
    closer.closed += size;
    if (opener.left() == 0) m_open.pop_back();
    return true;
  }

  void put(const Run& opener, const Run& closer, std::size_t size) {
    const auto opens_at = opener.at + opener.size - opener.opened, closes_at = closer.at + closer.closed;
    const bool is_around_same = m_opener == &opener && m_closer == &closer;
    m_opener = &opener;
    m_closer = &closer;
    if (!is_around_same) {
      const auto pair = m_out.size() / 2;
      m_out.push_back({opens_at, 0, false, pair});
      m_out.push_back({closes_at, 0, true, pair});
    }
    auto& begin = m_out[m_out.size() - 2];
    begin.at = opens_at;
    begin.size += size;
    m_out.back().size += size;
  }

  std::vector<Run> m_runs;
  std::vector<std::size_t> m_open;  ///< those that may begin something, the innermost last
  std::vector<EmphasisMark> m_out;
  const Run *m_opener = nullptr, *m_closer = nullptr;  ///< of the last two
};

}  // namespace

std::size_t escape(std::string_view rest) {
  constexpr std::string_view k_escaped = "\\`*_~[<&";
  return rest.size() > 1 && rest[0] == '\\' && k_escaped.find(rest[1]) != std::string_view::npos ? 2 : 0;
}

std::vector<EmphasisMark> emphasis_in(std::string_view text, const std::function<std::size_t(std::size_t)>& skip) {
  return Matcher(runs_in(text, skip)).marks();
}

}  // namespace liftlock::translate
