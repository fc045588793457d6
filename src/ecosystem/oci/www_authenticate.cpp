#include "ecosystem/oci/www_authenticate.hpp"

#include <optional>

#include "base/text.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_challenges = 16;
constexpr std::size_t k_max_params = 16;

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : m_text(text) {}

  bool at_end() const { return m_at == m_text.size(); }
  std::size_t position() const { return m_at; }
  void go_back(std::size_t position) { m_at = position; }

  void skip_blanks() {
    while (!at_end() && (m_text[m_at] == ' ' || m_text[m_at] == '\t')) ++m_at;
  }
  void skip_commas() {
    skip_blanks();
    while (take(',')) skip_blanks();
  }
  bool take(char c) {
    if (at_end() || m_text[m_at] != c) return false;
    ++m_at;
    return true;
  }
  std::string token() {
    const auto start = m_at;
    while (!at_end() && is_token_char(m_text[m_at])) ++m_at;
    return std::string(m_text.substr(start, m_at - start));
  }
  /// A token or a quoted string.
  std::optional<std::string> value() {
    if (!take('"')) {
      auto out = token();
      return out.empty() ? std::nullopt : std::optional(std::move(out));
    }
    std::string out;
    while (!at_end()) {
      char c = m_text[m_at++];
      if (c == '"') return out;
      if (c == '\\') {
        if (at_end()) return std::nullopt;
        c = m_text[m_at++];
      }
      if ((c < 0x20 && c != '\t') || c == 0x7F) return std::nullopt;
      out += c;
    }
    return std::nullopt;
  }
  /// token68 of RFC 9110 (Negotiate and the like): passed over.
  bool skip_token68() {
    const auto start = m_at;
    while (!at_end() && (is_token_char(m_text[m_at]) || m_text[m_at] == '/')) ++m_at;
    while (take('=')) {
    }
    skip_blanks();
    if (m_at > start && (at_end() || m_text[m_at] == ',')) return true;
    m_at = start;
    return false;
  }

 private:
  std::string_view m_text;
  std::size_t m_at = 0;
};

/// name = value; false, with nothing taken, when something else stands there.
bool take_param(Scanner& in, Challenge& challenge) {
  const auto start = in.position();
  const auto name = to_lower(in.token());
  in.skip_blanks();
  if (name.empty() || !in.take('=')) {
    in.go_back(start);
    return false;
  }
  in.skip_blanks();
  auto value = in.value();
  if (!value) {
    in.go_back(start);
    return false;
  }
  if (challenge.params.size() < k_max_params) challenge.params.emplace(name, std::move(*value));
  return true;
}

}  // namespace

std::string Challenge::param(const std::string& name) const {
  const auto found = params.find(name);
  return found == params.end() ? "" : found->second;
}

std::vector<Challenge> parse_www_authenticate(std::string_view value) {
  std::vector<Challenge> out;
  Scanner in(value);
  in.skip_commas();
  while (!in.at_end() && out.size() < k_max_challenges) {
    Challenge challenge{.scheme = to_lower(in.token()), .params = {}};
    if (challenge.scheme.empty()) break;
    in.skip_blanks();
    bool well_formed = true;
    if (!take_param(in, challenge)) {
      // A scheme alone, or with a token68, ends at a comma.
      well_formed = in.at_end() || in.skip_token68() || in.take(',');
    } else {
      while (true) {
        const auto before = in.position();
        in.skip_blanks();
        if (!in.take(',')) break;
        in.skip_commas();
        if (take_param(in, challenge)) continue;
        in.go_back(before);
        break;
      }
    }
    out.push_back(std::move(challenge));
    in.skip_blanks();
    const auto before = in.position();
    in.skip_commas();
    if (!well_formed || (!in.at_end() && in.position() == before && out.back().params.size() > 0)) break;
  }
  return out;
}

}  // namespace liftlock::oci
