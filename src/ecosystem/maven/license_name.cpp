#include "ecosystem/maven/license_name.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.hpp"
#include "ecosystem/license_text.hpp"

namespace liftlock::maven {
namespace {

struct Known {
  std::string_view words, id;
};

// Letters and digits in lower case, without "the", "license", "version".
constexpr auto k_known = std::to_array<Known>({
    {"apache 2", "Apache-2.0"},
    {"apache 2 0", "Apache-2.0"},
    {"apache software 2", "Apache-2.0"},
    {"apache software 2 0", "Apache-2.0"},
    {"asl 2 0", "Apache-2.0"},
    {"mit", "MIT"},
    {"mit mit", "MIT"},
    {"bsd 2 clause", "BSD-2-Clause"},
    {"bsd 3 clause", "BSD-3-Clause"},
    {"new bsd", "BSD-3-Clause"},
    {"revised bsd", "BSD-3-Clause"},
    {"eclipse public 1 0", "EPL-1.0"},
    {"epl 1 0", "EPL-1.0"},
    {"eclipse public 2 0", "EPL-2.0"},
    {"epl 2 0", "EPL-2.0"},
    {"eclipse distribution 1 0", "BSD-3-Clause"},
    {"edl 1 0", "BSD-3-Clause"},
    {"mozilla public 2 0", "MPL-2.0"},
    {"mpl 2 0", "MPL-2.0"},
    {"cddl 1 0", "CDDL-1.0"},
    {"cddl 1 1", "CDDL-1.1"},
    {"isc", "ISC"},
    {"cc0", "CC0-1.0"},
    {"cc0 1 0", "CC0-1.0"},
    {"unlicense", "Unlicense"},
    {"gnu lesser general public 2 1", "LGPL-2.1-only"},
    {"gnu general public 2", "GPL-2.0-only"},
    {"gnu general public 3", "GPL-3.0-only"},
    {"gpl2 w cpe", "GPL-2.0-only WITH Classpath-exception-2.0"},
    {"gpl 2 w cpe", "GPL-2.0-only WITH Classpath-exception-2.0"},
    {"gnu general public 2 with gnu classpath exception", "GPL-2.0-only WITH Classpath-exception-2.0"},
});

std::string essential_words(std::string_view name) {
  constexpr std::array<std::string_view, 6> k_said_anyway = {"the", "license", "licence", "version", "v", "universal"};
  std::string out, word;
  const auto lower = to_lower(name);
  const auto end_word = [&] {
    if (word.size() > 1 && word[0] == 'v' && word[1] >= '0' && word[1] <= '9') word.erase(0, 1);  // "v2.0"
    if (!word.empty() && std::find(k_said_anyway.begin(), k_said_anyway.end(), word) == k_said_anyway.end())
      out += (out.empty() ? "" : " ") + word;
    word.clear();
  };
  for (const char c : lower) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      word += c;
    } else {
      end_word();
    }
  }
  end_word();
  return out;
}

}  // namespace

std::string joined_licenses(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const auto& name : names) {
    const auto words = essential_words(name);
    const auto found =
        std::find_if(k_known.begin(), k_known.end(), [&](const Known& one) { return one.words == words; });
    auto license = found == k_known.end() ? license_text(name) : std::string(found->id);
    if (!license.empty() && std::find(all.begin(), all.end(), license) == all.end()) all.push_back(std::move(license));
  }
  std::string out;
  for (const auto& one : all) out += (out.empty() ? "" : " OR ") + one;
  return license_text(out);
}

}  // namespace liftlock::maven
