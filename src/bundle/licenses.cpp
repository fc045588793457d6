#include "bundle/licenses.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/loose_json.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_expression = 1000;

// From the SPDX licence list: what the packages, models and data sets of the ecosystems here are usually under.
constexpr auto k_ids = std::to_array<std::string_view>({"0BSD",
                                                        "AFL-3.0",
                                                        "AGPL-3.0-only",
                                                        "AGPL-3.0-or-later",
                                                        "Apache-1.1",
                                                        "Apache-2.0",
                                                        "Artistic-1.0-Perl",
                                                        "Artistic-2.0",
                                                        "BlueOak-1.0.0",
                                                        "BSD-1-Clause",
                                                        "BSD-2-Clause",
                                                        "BSD-3-Clause",
                                                        "BSD-3-Clause-Clear",
                                                        "BSD-4-Clause",
                                                        "BSL-1.0",
                                                        "bzip2-1.0.6",
                                                        "CC-BY-2.0",
                                                        "CC-BY-3.0",
                                                        "CC-BY-4.0",
                                                        "CC-BY-NC-2.0",
                                                        "CC-BY-NC-3.0",
                                                        "CC-BY-NC-4.0",
                                                        "CC-BY-NC-ND-4.0",
                                                        "CC-BY-NC-SA-2.0",
                                                        "CC-BY-NC-SA-3.0",
                                                        "CC-BY-NC-SA-4.0",
                                                        "CC-BY-ND-4.0",
                                                        "CC-BY-SA-3.0",
                                                        "CC-BY-SA-4.0",
                                                        "CC0-1.0",
                                                        "CDDL-1.0",
                                                        "CDDL-1.1",
                                                        "CDLA-Permissive-1.0",
                                                        "CDLA-Permissive-2.0",
                                                        "CDLA-Sharing-1.0",
                                                        "curl",
                                                        "ECL-2.0",
                                                        "EPL-1.0",
                                                        "EPL-2.0",
                                                        "EUPL-1.1",
                                                        "EUPL-1.2",
                                                        "FSFAP",
                                                        "FTL",
                                                        "GFDL-1.3-or-later",
                                                        "GPL-1.0-or-later",
                                                        "GPL-2.0-only",
                                                        "GPL-2.0-or-later",
                                                        "GPL-3.0-only",
                                                        "GPL-3.0-or-later",
                                                        "HPND",
                                                        "ICU",
                                                        "IJG",
                                                        "ISC",
                                                        "JSON",
                                                        "LGPL-2.0-or-later",
                                                        "LGPL-2.1-only",
                                                        "LGPL-2.1-or-later",
                                                        "LGPL-3.0-only",
                                                        "LGPL-3.0-or-later",
                                                        "LPPL-1.3c",
                                                        "MIT",
                                                        "MIT-0",
                                                        "MIT-CMU",
                                                        "MPL-1.1",
                                                        "MPL-2.0",
                                                        "MS-PL",
                                                        "MulanPSL-2.0",
                                                        "NCSA",
                                                        "ODbL-1.0",
                                                        "ODC-By-1.0",
                                                        "OFL-1.1",
                                                        "OLDAP-2.8",
                                                        "OpenSSL",
                                                        "OSL-3.0",
                                                        "PDDL-1.0",
                                                        "PostgreSQL",
                                                        "PSF-2.0",
                                                        "Python-2.0",
                                                        "Ruby",
                                                        "Unicode-3.0",
                                                        "Unicode-DFS-2016",
                                                        "Unlicense",
                                                        "Vim",
                                                        "WTFPL",
                                                        "X11",
                                                        "Zlib"});
constexpr auto k_exceptions = std::to_array<std::string_view>(
    {"Classpath-exception-2.0", "GCC-exception-3.1", "LLVM-exception", "Linux-syscall-note"});

template <std::size_t N>
std::optional<std::string> find(const std::array<std::string_view, N>& list, std::string_view text) {
  const auto wanted = to_lower(text);
  const auto found = std::find_if(list.begin(), list.end(), [&](auto one) { return to_lower(one) == wanted; });
  return found == list.end() ? std::nullopt : std::optional(std::string(*found));
}

/// term = "(" terms ")" | ID ["WITH" EXCEPTION]; terms = term {("AND" | "OR") term}
class Expression {
 public:
  explicit Expression(std::string_view text) {
    std::string word;
    const auto end_word = [&] {
      if (!word.empty()) m_words.push_back(word);
      word.clear();
    };
    for (const char c : text) {
      if (c == '(' || c == ')') {
        end_word();
        m_words.emplace_back(1, c);
      } else if (c == '/') {
        end_word();
        m_words.emplace_back("OR");
      } else if (c == ' ') {
        end_word();
      } else {
        word += c;
      }
    }
    end_word();
  }

  std::optional<std::string> read() {
    if (!terms(0) || m_at != m_words.size()) return std::nullopt;
    return m_out;
  }

 private:
  bool take(std::string_view word) {
    if (m_at == m_words.size() || m_words[m_at] != word) return false;
    ++m_at;
    return true;
  }
  bool terms(int depth) {
    if (!term(depth)) return false;
    for (;;) {
      if (take("AND")) {
        m_out += " AND ";
      } else if (take("OR")) {
        m_out += " OR ";
      } else {
        return true;
      }
      if (!term(depth)) return false;
    }
  }
  bool term(int depth) {
    if (depth > 10) return false;
    if (take("(")) {
      m_out += "(";
      if (!terms(depth + 1) || !take(")")) return false;
      m_out += ")";
      return true;
    }
    if (m_at == m_words.size()) return false;
    const auto id = find(k_ids, m_words[m_at++]);
    if (!id) return false;
    m_out += *id;
    if (!take("WITH")) return true;
    const auto exception = m_at == m_words.size() ? std::nullopt : find(k_exceptions, m_words[m_at++]);
    if (exception) m_out += " WITH " + *exception;
    return exception.has_value();
  }

  std::vector<std::string> m_words;
  std::size_t m_at = 0;
  std::string m_out;
};

}  // namespace

std::string stated_license(const Artifact& artifact, const Json& facts) {
  if (!artifact.license.empty() || !facts.is_object()) return artifact.license;
  if (auto own = text_in(facts, "license"); !own.empty()) return own;
  const auto card = facts.find("card");
  if (card == facts.end() || !card->is_object()) return {};
  auto stated = text_in(*card, "license"), named = text_in(*card, "license_name");
  return stated == "other" && !named.empty() ? named : stated;
}

std::optional<std::string> spdx_license_id(std::string_view text) {
  return find(k_ids, trim(text));
}

std::optional<std::string> spdx_license_expression(std::string_view text) {
  if (text.size() > k_max_expression) return std::nullopt;
  return Expression(text).read();
}

}  // namespace liftlock
