#include "advisory/maven_version.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace liftlock::advisory {
namespace {

struct Token {
  char separator = '.';  ///< in front of it; '-' also where letters and digits meet
  bool is_number = true;
  std::string text;  ///< of a number without leading zeros: empty is 0; of a qualifier in lower case

  /// What says as much as nothing: 0, final, ga, release.
  bool is_null() const { return text.empty(); }
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string qualifier(std::string word, bool number_follows) {
  if (word == "ga" || word == "final" || word == "release") return {};
  if (word == "cr") return "rc";
  if (number_follows && word == "a") return "alpha";
  if (number_follows && word == "b") return "beta";
  if (number_follows && word == "m") return "milestone";
  return word;
}

std::vector<Token> tokens_of(std::string_view version) {
  const auto text = to_lower(version);
  std::vector<Token> out;
  char separator = '.';
  for (std::size_t at = 0; at <= text.size();) {
    const bool is_number = at == text.size() || text[at] == '.' || text[at] == '-' || is_digit(text[at]);
    auto end = at;
    while (end < text.size() && text[end] != '.' && text[end] != '-' && is_digit(text[end]) == is_number) ++end;
    const bool meets = end < text.size() && text[end] != '.' && text[end] != '-';
    Token token{separator, is_number, text.substr(at, end - at)};
    if (is_number) {
      token.text.erase(0, std::min(token.text.find_first_not_of('0'), token.text.size()));
    } else {
      token.text = qualifier(std::move(token.text), meets);
    }
    out.push_back(std::move(token));
    if (end == text.size()) break;
    separator = meets ? '-' : text[end];
    at = meets ? end : end + 1;
  }
  return out;
}

/// From the end, and from each hyphen, backwards: what says nothing there is as if it were not written.
std::vector<Token> trimmed(std::vector<Token> tokens) {
  for (auto i = tokens.size(); i > 0;) {
    if (tokens[i - 1].is_null()) {
      tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(--i));
      continue;
    }
    while (i > 0 && tokens[i - 1].separator != '-') --i;
    if (i > 0) --i;
  }
  return tokens;
}

/// Qualifiers before numbers after a hyphen before numbers after a point.
int kind_of(const Token& token) {
  return !token.is_number ? 0 : token.separator == '-' ? 1 : 2;
}

std::weak_ordering compare_qualifiers(const std::string& a, const std::string& b) {
  constexpr std::array<std::string_view, 7> k_known = {"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"};
  const auto place = [&](const std::string& word) {
    return std::find(k_known.begin(), k_known.end(), word) - k_known.begin();
  };
  if (const auto order = place(a) <=> place(b); order != 0) return order;
  return a.compare(b) <=> 0;
}

std::weak_ordering compare_tokens(const Token& a, const Token& b) {
  if (const auto order = kind_of(a) <=> kind_of(b); order != 0) return order;
  if (!a.is_number) return compare_qualifiers(a.text, b.text);
  if (a.text.size() != b.text.size()) return a.text.size() <=> b.text.size();
  return a.text.compare(b.text) <=> 0;
}

}  // namespace

std::weak_ordering compare_maven(std::string_view a, std::string_view b) {
  const auto left = trimmed(tokens_of(a)), right = trimmed(tokens_of(b));
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    // The shorter one has nothing there, of the other's kind.
    const auto& there = i < left.size() ? left[i] : right[i];
    const Token nothing{there.separator, there.is_number, {}};
    const auto order = compare_tokens(i < left.size() ? left[i] : nothing, i < right.size() ? right[i] : nothing);
    if (order != 0) return order;
  }
  return std::weak_ordering::equivalent;
}

}  // namespace liftlock::advisory
