#include "ecosystem/pypi/version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_longest = 128;
constexpr std::size_t k_release_parts = 32;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_separator(char c) {
  return c == '.' || c == '-' || c == '_';
}

/// Eats a text from its front.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : m_rest(text) {}
  bool empty() const { return m_rest.empty(); }
  char peek(std::size_t at = 0) const { return at < m_rest.size() ? m_rest[at] : '\0'; }
  bool eat(std::string_view word) {
    if (!m_rest.starts_with(word)) return false;
    m_rest.remove_prefix(word.size());
    return true;
  }
  bool eat_separator() {
    if (!is_separator(peek())) return false;
    m_rest.remove_prefix(1);
    return true;
  }
  std::optional<std::uint64_t> number() {
    std::size_t size = 0;
    while (is_digit(peek(size))) ++size;
    const auto value = parse_uint(m_rest.substr(0, size));
    if (!value || *value > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    m_rest.remove_prefix(size);
    return value;
  }
  /// A number after an optional separator, or 0: "a", "a1", "a.1".
  std::optional<std::uint64_t> implicit_number() {
    if (is_digit(peek())) return number();
    if (is_separator(peek()) && is_digit(peek(1))) {
      eat_separator();
      return number();
    }
    return 0;
  }
  std::string_view rest() const { return m_rest; }

 private:
  std::string_view m_rest;
};

/// An optional separator and one of the words.
template <std::size_t N>
std::optional<std::size_t> eat_word(Cursor& cursor, const std::array<std::string_view, N>& words) {
  auto tried = cursor;
  tried.eat_separator();
  for (std::size_t i = 0; i < N; ++i) {
    if (!tried.eat(words[i])) continue;
    cursor = tried;
    return i;
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 8> k_pre_words{"alpha", "a", "beta", "b", "preview", "pre", "rc", "c"};
constexpr std::array<char, 8> k_pre_kinds{'a', 'a', 'b', 'b', 'r', 'r', 'r', 'r'};
constexpr std::array<std::string_view, 3> k_post_words{"post", "rev", "r"};
constexpr std::array<std::string_view, 1> k_dev_words{"dev"};

std::strong_ordering compare_local(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    const auto a = parse_uint(left[i]), b = parse_uint(right[i]);
    if (a && b && *a != *b) return *a <=> *b;
    if (a.has_value() != b.has_value()) return a ? std::strong_ordering::greater : std::strong_ordering::less;
    if (!a && left[i] != right[i]) return left[i] <=> right[i];
  }
  return left.size() <=> right.size();
}

}  // namespace

std::optional<PyVersion> PyVersion::parse(std::string_view raw) {
  const auto trimmed = trim(raw);
  if (trimmed.empty() || trimmed.size() > k_longest) return std::nullopt;
  const auto lower = to_lower(trimmed);
  Cursor cursor(lower);
  PyVersion out;
  cursor.eat("v");
  auto number = cursor.number();
  if (number && cursor.eat("!")) {
    out.m_epoch = *number;
    number = cursor.number();
  }
  if (!number) return std::nullopt;
  out.m_release.push_back(*number);
  while (cursor.peek() == '.' && is_digit(cursor.peek(1))) {
    cursor.eat(".");
    if (!(number = cursor.number()) || out.m_release.size() >= k_release_parts) return std::nullopt;
    out.m_release.push_back(*number);
  }
  if (const auto word = eat_word(cursor, k_pre_words)) {
    if (!(number = cursor.implicit_number())) return std::nullopt;
    out.m_pre = Pre{k_pre_kinds[*word], *number};
  }
  if (cursor.peek() == '-' && is_digit(cursor.peek(1))) {
    cursor.eat("-");
    if (!(out.m_post = cursor.number())) return std::nullopt;
  } else if (eat_word(cursor, k_post_words)) {
    if (!(out.m_post = cursor.implicit_number())) return std::nullopt;
  }
  if (eat_word(cursor, k_dev_words)) {
    if (!(out.m_dev = cursor.implicit_number())) return std::nullopt;
  }
  if (cursor.eat("+")) {
    std::string part;
    for (const char c : cursor.rest()) {
      if (is_separator(c)) {
        if (part.empty()) return std::nullopt;
        out.m_local.push_back(std::exchange(part, {}));
      } else if (is_digit(c) || is_letter(c)) {
        part += c;
      } else {
        return std::nullopt;
      }
    }
    if (part.empty()) return std::nullopt;
    out.m_local.push_back(part);
    return out;
  }
  if (!cursor.empty()) return std::nullopt;
  return out;
}

std::string PyVersion::text() const {
  std::string out = m_epoch != 0 ? fmt::format("{}!", m_epoch) : "";
  out += fmt::format("{}", fmt::join(m_release, "."));
  if (m_pre) out += fmt::format("{}{}", m_pre->kind == 'r' ? "rc" : std::string(1, m_pre->kind), m_pre->number);
  if (m_post) out += fmt::format(".post{}", *m_post);
  if (m_dev) out += fmt::format(".dev{}", *m_dev);
  if (!m_local.empty()) out += fmt::format("+{}", fmt::join(m_local, "."));
  return out;
}

std::strong_ordering PyVersion::operator<=>(const PyVersion& other) const {
  if (m_epoch != other.m_epoch) return m_epoch <=> other.m_epoch;
  for (std::size_t i = 0; i < std::max(m_release.size(), other.m_release.size()); ++i) {
    const auto a = i < m_release.size() ? m_release[i] : 0;
    const auto b = i < other.m_release.size() ? other.m_release[i] : 0;
    if (a != b) return a <=> b;
  }
  // A development release without pre and post sorts before every pre-release; a final release after them.
  const auto pre_rank = [](const PyVersion& v) { return v.m_pre ? 1 : (!v.m_post && v.m_dev ? 0 : 2); };
  if (pre_rank(*this) != pre_rank(other)) return pre_rank(*this) <=> pre_rank(other);
  if (m_pre) {
    if (m_pre->kind != other.m_pre->kind) return m_pre->kind <=> other.m_pre->kind;
    if (m_pre->number != other.m_pre->number) return m_pre->number <=> other.m_pre->number;
  }
  if (m_post.has_value() != other.m_post.has_value()) return m_post.has_value() <=> other.m_post.has_value();
  if (m_post && *m_post != *other.m_post) return *m_post <=> *other.m_post;
  if (m_dev.has_value() != other.m_dev.has_value()) return other.m_dev.has_value() <=> m_dev.has_value();
  if (m_dev && *m_dev != *other.m_dev) return *m_dev <=> *other.m_dev;
  return compare_local(m_local, other.m_local);
}

PyVersion PyVersion::without_local() const {
  auto out = *this;
  out.m_local.clear();
  return out;
}

PyVersion PyVersion::base() const {
  PyVersion out;
  out.m_epoch = m_epoch;
  out.m_release = m_release;
  return out;
}

std::optional<PySpecifier> PySpecifier::parse(std::string_view raw) {
  const auto text = trim(raw);
  PySpecifier out;
  for (const std::string_view symbol : {"===", "~=", "==", "!=", "<=", ">=", "<", ">"}) {
    if (!text.starts_with(symbol)) continue;
    out.m_operator = symbol;
    out.m_text = trim(text.substr(symbol.size()));
    break;
  }
  if (out.m_operator.empty() || out.m_text.empty()) return std::nullopt;
  if (out.m_operator == "===") return out;
  std::string_view version = out.m_text;
  if (version.ends_with(".*")) {
    if (out.m_operator != "==" && out.m_operator != "!=") return std::nullopt;
    out.m_wildcard = true;
    version.remove_suffix(2);
  }
  out.m_version = PyVersion::parse(version);
  if (!out.m_version || (out.m_operator == "~=" && out.m_version->m_release.size() < 2)) return std::nullopt;
  return out;
}

/// Is version one of "==V.*"? The release is padded with zeros; a pre- or post-release in V must be equal.
bool PySpecifier::matches_prefix(const PyVersion& version) const {
  if (version.m_epoch != m_version->m_epoch) return false;
  for (std::size_t i = 0; i < m_version->m_release.size(); ++i) {
    const auto part = i < version.m_release.size() ? version.m_release[i] : 0;
    if (part != m_version->m_release[i]) return false;
  }
  const auto& wanted = *m_version;
  if (!wanted.m_pre && !wanted.m_post) return true;
  if (version.base() != wanted.base() || version.m_pre.has_value() != wanted.m_pre.has_value()) return false;
  if (wanted.m_pre && (wanted.m_pre->kind != version.m_pre->kind || wanted.m_pre->number != version.m_pre->number)) {
    return false;
  }
  return !wanted.m_post || wanted.m_post == version.m_post;
}

bool PySpecifier::allows(const PyVersion& version) const {
  if (m_operator == "===") return to_lower(version.text()) == to_lower(m_text);
  const auto& wanted = *m_version;
  const auto candidate = wanted.m_local.empty() ? version.without_local() : version;
  if (m_operator == "==") return m_wildcard ? matches_prefix(version) : candidate == wanted;
  if (m_operator == "!=") return m_wildcard ? !matches_prefix(version) : candidate != wanted;
  if (m_operator == ">=") return version.without_local() >= wanted;
  if (m_operator == "<=") return version.without_local() <= wanted;
  if (m_operator == "~=") {
    auto prefix = *this;
    prefix.m_version = wanted.base();
    prefix.m_version->m_release.pop_back();
    return version.without_local() >= wanted && prefix.matches_prefix(version);
  }
  if (m_operator == "<") {
    if (version >= wanted) return false;
    return wanted.is_prerelease() || !version.is_prerelease() || version.base() != wanted.base();
  }
  if (version <= wanted) return false;  // ">"
  if (!wanted.is_postrelease() && version.is_postrelease() && version.base() == wanted.base()) return false;
  return version.m_local.empty() || version.base() != wanted.base();
}

std::optional<std::vector<PySpecifier>> parse_specifiers(std::string_view text) {
  std::vector<PySpecifier> out;
  if (trim(text).empty()) return out;
  for (const auto clause : split(text, ',')) {
    if (trim(clause).empty()) continue;
    auto specifier = PySpecifier::parse(clause);
    if (!specifier || out.size() >= 100) return std::nullopt;
    out.push_back(std::move(*specifier));
  }
  return out;
}

bool all_allow(const std::vector<PySpecifier>& specifiers, const PyVersion& version) {
  return std::all_of(specifiers.begin(), specifiers.end(), [&](const auto& one) { return one.allows(version); });
}

}  // namespace liftlock
