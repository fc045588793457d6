#include "advisory/rpm_distribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace liftlock::advisory {
namespace {

constexpr std::string_view k_red_hat = "Red Hat", k_rocky = "Rocky Linux", k_alma = "AlmaLinux", k_suse = "SUSE",
                           k_opensuse = "openSUSE", k_tumbleweed = "Tumbleweed";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view digits_at(std::string_view text, std::size_t begin) {
  const auto rest = text.substr(std::min(begin, text.size()));
  return rest.substr(0, static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_digit) - rest.begin()));
}

/// "9" of "4.el9_4", "1.module+el9.3.0+111" and "enterprise_linux:9::el9"; empty when there is none.
std::string_view enterprise_linux(std::string_view text) {
  for (auto at = text.find("el"); at != std::string_view::npos; at = text.find("el", at + 1)) {
    const bool begins = at == 0 || text[at - 1] == '.' || text[at - 1] == '+' || text[at - 1] == ':';
    if (const auto number = digits_at(text, at + 2); begins && !number.empty()) return number;
  }
  return {};
}

/// The Build Service writes the code stream into the release: "150500.3.6.1", "lp155.2.1", "bp155.1.2", "160000.2.2".
std::string suse_build(std::string_view release) {
  constexpr std::size_t k_stream = 6, k_short = 3;
  const auto number = digits_at(release, 0);
  if (number.size() == k_stream)
    return fmt::format("{}.{}", number.substr(0, 2), parse_uint(number.substr(2, 2)).value_or(0));
  if (release.starts_with("lp") || release.starts_with("bp")) {
    const auto three = digits_at(release, 2);
    if (three.size() == k_short) return fmt::format("{}.{}", three.substr(0, 2), three.substr(2));
  }
  return {};
}

/// SLE Micro, Leap Micro and Linux Micro have numbers of their own; 6.0 and 6.1 are of no service pack.
std::string suse_micro(std::string_view number) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> k_made_of = {{{"5.0", "15.2"},
                                                                                       {"5.1", "15.3"},
                                                                                       {"5.2", "15.3"},
                                                                                       {"5.3", "15.4"},
                                                                                       {"5.4", "15.4"},
                                                                                       {"5.5", "15.5"},
                                                                                       {"6.0", "6.0"},
                                                                                       {"6.1", "6.1"},
                                                                                       {"6.2", "16.0"}}};
  for (const auto& [micro, release] : k_made_of) {
    if (micro == number) return std::string(release);
  }
  return {};
}

std::string suse_product(std::string_view text) {
  const auto names = [&](std::string_view word) { return text.find(word) != std::string_view::npos; };
  if (names(k_tumbleweed)) return std::string(k_tumbleweed);
  const auto words = split(text, ' ');
  // The last number counts: "Linux Enterprise Module for Python 3 15 SP6".
  for (std::size_t i = words.size(); i-- > 0;) {
    const auto major = digits_at(words[i], 0);
    if (major.empty()) continue;
    std::string_view minor;
    if (words[i].size() > major.size() && words[i][major.size()] == '.') minor = digits_at(words[i], major.size() + 1);
    if (i + 1 < words.size() && words[i + 1].starts_with("SP")) minor = digits_at(words[i + 1], 2);
    const auto number = fmt::format("{}.{}", major, minor.empty() ? "0" : minor);
    if (names("Micro")) return suse_micro(number);
    return names("Linux Enterprise") || names("Leap") || names("Package Hub") ? number : std::string();
  }
  return {};
}

}  // namespace

bool is_rpm_ecosystem(std::string_view ecosystem) {
  constexpr std::array k_all = {k_red_hat, k_rocky, k_alma, k_suse, k_opensuse};
  return std::find(k_all.begin(), k_all.end(), ecosystem) != k_all.end();
}

std::vector<RpmDistribution> rpm_distributions(std::string_view vendor, std::string_view release) {
  const auto is_of = [&](std::string_view word) { return vendor.find(word) != std::string_view::npos; };
  const auto enterprise = [&](std::string_view ecosystem) {
    return std::vector{RpmDistribution{std::string(ecosystem), std::string(enterprise_linux(release))}};
  };
  if (is_of("Red Hat")) return enterprise(k_red_hat);
  if (is_of("Rocky")) return enterprise(k_rocky);
  if (is_of("AlmaLinux")) return enterprise(k_alma);
  if (is_of("openSUSE")) {
    // What no Leap was built of is of the one that rolls.
    auto build = suse_build(release);
    return {{std::string(k_opensuse), build.empty() ? std::string(k_tumbleweed) : std::move(build)}};
  }
  if (is_of("SUSE")) {
    const auto build = suse_build(release);
    return {{std::string(k_suse), build}, {std::string(k_opensuse), build}};
  }
  return {};
}

std::string rpm_release(std::string_view ecosystem, std::string_view release) {
  if (ecosystem == k_suse || ecosystem == k_opensuse) return suse_product(release);
  if (ecosystem == k_red_hat) {
    // What is left of a CPE: "enterprise_linux:9::baseos", "openshift:4.14::el9".
    if (const auto stated = enterprise_linux(release); !stated.empty()) return std::string(stated);
    const auto colon = release.find(':');
    return std::string(colon == std::string_view::npos ? digits_at(release, 0) : digits_at(release, colon + 1));
  }
  return std::string(digits_at(release, 0));
}

bool fits_release(std::string_view ecosystem, std::string_view package, std::string_view record,
                  const std::vector<std::string>& fixed) {
  if (package.empty() || record.empty() || package == record) return true;
  if (ecosystem != k_suse && ecosystem != k_opensuse) return false;
  const auto dot = package.find('.');
  if (dot == std::string_view::npos || !record.starts_with(package.substr(0, dot + 1))) return false;
  const auto stream = parse_uint(package.substr(dot + 1)), release = parse_uint(record.substr(dot + 1));
  if (!stream || !release || *release < *stream) return false;
  return fixed.empty() || std::any_of(fixed.begin(), fixed.end(), [&](std::string_view version) {
           return suse_build(version.substr(version.rfind('-') + 1)) == package;
         });
}

}  // namespace liftlock::advisory
