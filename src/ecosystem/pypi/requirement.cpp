#include "ecosystem/pypi/requirement.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "ecosystem/pypi/project_name.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_longest = 4096;
constexpr int k_deepest = 32;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// A recursive descent over "and", "or", comparisons and parentheses, which evaluates as it goes.
class MarkerParser {
 public:
  MarkerParser(std::string_view text, const MarkerEnvironment& environment)
      : m_rest(text), m_environment(environment) {}

  /// nullopt: no marker.
  std::optional<bool> run() {
    const bool value = any_of_terms(0);
    blanks();
    if (!m_good || !m_rest.empty()) return std::nullopt;
    return value;
  }

 private:
  struct Operand {
    std::string text;
    bool is_extra = false;
    bool is_variable = false;
  };

  void blanks() {
    while (!m_rest.empty() && (m_rest.front() == ' ' || m_rest.front() == '\t' || m_rest.front() == '\n')) {
      m_rest.remove_prefix(1);
    }
  }
  bool eat(std::string_view symbol) {
    blanks();
    if (!m_rest.starts_with(symbol)) return false;
    m_rest.remove_prefix(symbol.size());
    return true;
  }
  bool eat_word(std::string_view word) {
    blanks();
    if (!m_rest.starts_with(word)) return false;
    if (m_rest.size() > word.size() && is_name_byte(m_rest[word.size()])) return false;
    m_rest.remove_prefix(word.size());
    return true;
  }
  bool refuse() {
    m_good = false;
    return false;
  }

  bool any_of_terms(int depth) {
    bool value = all_of_terms(depth);
    while (m_good && eat_word("or")) {
      const bool next = all_of_terms(depth);
      value = value || next;
    }
    return value;
  }
  bool all_of_terms(int depth) {
    bool value = term(depth);
    while (m_good && eat_word("and")) {
      const bool next = term(depth);
      value = value && next;
    }
    return value;
  }
  bool term(int depth) {
    if (depth > k_deepest) return refuse();
    if (eat("(")) {
      const bool value = any_of_terms(depth + 1);
      return m_good && eat(")") ? value : refuse();
    }
    const auto left = operand();
    const auto symbol = comparison();
    const auto right = operand();
    if (!m_good || symbol.empty() || left.is_variable == right.is_variable) return refuse();
    return compare(left, symbol, right);
  }

  Operand operand() {
    blanks();
    if (m_rest.empty()) return refuse(), Operand{};
    const char quote = m_rest.front();
    if (quote == '"' || quote == '\'') {
      const auto end = m_rest.find(quote, 1);
      if (end == std::string_view::npos) return refuse(), Operand{};
      Operand out{.text = std::string(m_rest.substr(1, end - 1))};
      m_rest.remove_prefix(end + 1);
      return out;
    }
    std::size_t size = 0;
    while (size < m_rest.size() && is_name_byte(m_rest[size])) ++size;
    const std::string name(m_rest.substr(0, size));
    m_rest.remove_prefix(size);
    static constexpr std::array<std::string_view, 12> known{
        "python_version",      "python_full_version",    "os_name",
        "sys_platform",        "platform_release",       "platform_system",
        "platform_version",    "platform_machine",       "platform_python_implementation",
        "implementation_name", "implementation_version", "extra"};
    if (std::find(known.begin(), known.end(), name) == known.end()) return refuse(), Operand{};
    const auto found = m_environment.find(name);
    return {
        .text = found == m_environment.end() ? "" : found->second, .is_extra = name == "extra", .is_variable = true};
  }

  std::string comparison() {
    for (const std::string_view symbol : {"===", "==", "~=", "!=", "<=", ">=", "<", ">"}) {
      if (eat(symbol)) return std::string(symbol);
    }
    if (eat_word("in")) return "in";
    if (eat_word("not") && eat_word("in")) return "not in";
    return {};
  }

  static bool compare(const Operand& left, const std::string& symbol, const Operand& right) {
    if (symbol == "in") return right.text.find(left.text) != std::string::npos;
    if (symbol == "not in") return right.text.find(left.text) == std::string::npos;
    if (left.is_extra || right.is_extra) {
      const bool equal = normalize_project_name(left.text) == normalize_project_name(right.text);
      return symbol == "!=" ? !equal : equal;
    }
    const auto specifier = PySpecifier::parse(symbol + right.text);
    const auto version = PyVersion::parse(left.text);
    if (specifier && version) return specifier->allows(*version);
    if (symbol == "==" || symbol == "===") return left.text == right.text;
    if (symbol == "!=") return left.text != right.text;
    if (symbol == "<") return left.text < right.text;
    if (symbol == ">") return left.text > right.text;
    if (symbol == "<=") return left.text <= right.text;
    if (symbol == ">=") return left.text >= right.text;
    return false;
  }

  std::string_view m_rest;
  const MarkerEnvironment& m_environment;
  bool m_good = true;
};

bool take_extras(std::string_view& rest, std::set<std::string>& extras) {
  if (!rest.starts_with('[')) return true;
  const auto end = rest.find(']');
  if (end == std::string_view::npos) return false;
  for (const auto extra : split(rest.substr(1, end - 1), ',')) {
    const auto name = trim(extra);
    if (name.empty() && trim(rest.substr(1, end - 1)).empty()) continue;
    if (!is_project_name(name)) return false;
    extras.insert(normalize_project_name(name));
  }
  rest = trim(rest.substr(end + 1));
  return true;
}

}  // namespace

std::optional<Requirement> Requirement::parse(std::string_view text) {
  auto rest = trim(text);
  if (rest.size() > k_longest) return std::nullopt;
  std::size_t size = 0;
  while (size < rest.size() && is_name_byte(rest[size])) ++size;
  Requirement out;
  if (!is_project_name(rest.substr(0, size))) return std::nullopt;
  out.name = normalize_project_name(rest.substr(0, size));
  rest = trim(rest.substr(size));
  if (!take_extras(rest, out.extras)) return std::nullopt;
  // In a URL, ';' begins the marker only after a blank.
  const bool has_url = rest.starts_with('@');
  const auto semicolon = rest.find(has_url ? " ;" : ";");
  if (semicolon != std::string_view::npos) {
    out.marker = trim(rest.substr(semicolon + (has_url ? 2 : 1)));
    rest = trim(rest.substr(0, semicolon));
    if (!MarkerParser(out.marker, {}).run()) return std::nullopt;
  }
  if (has_url) {
    out.url = trim(rest.substr(1));
    return out.url.empty() ? std::nullopt : std::optional(out);
  }
  if (rest.starts_with('(') && rest.ends_with(')')) rest = trim(rest.substr(1, rest.size() - 2));
  auto clauses = parse_specifiers(rest);
  if (!clauses) return std::nullopt;
  out.specifier = rest;
  out.clauses = std::move(*clauses);
  return out;
}

bool Requirement::applies(const MarkerEnvironment& environment, const std::set<std::string>& wanted_extras) const {
  if (marker.empty()) return true;
  auto with_extra = environment;
  with_extra["extra"] = "";
  if (MarkerParser(marker, with_extra).run().value_or(false)) return true;
  return std::any_of(wanted_extras.begin(), wanted_extras.end(), [&](const std::string& extra) {
    with_extra["extra"] = extra;
    return MarkerParser(marker, with_extra).run().value_or(false);
  });
}

}  // namespace liftlock
