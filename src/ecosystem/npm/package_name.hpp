// Names and versions of npm packages: https://docs.npmjs.com/cli/configuring-npm/package-json (name), semver.org 2.0.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::npm {

/// "left-pad", "@scope/name", and old names with capitals: at most 214 bytes, of letters, digits, '.', '_', '~' and
/// '-', not beginning with '.'; a scope is of the same form.
bool is_package_name(std::string_view name);
/// "name" of "@scope/name".
std::string_view without_scope(std::string_view name);
/// "name-1.0.0.tgz" of "@scope/name": what registries call a tarball.
std::string tarball_name(std::string_view name, std::string_view version);

/// An exact version: MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD], at most 256 bytes. Compared by precedence (§11), which
/// build metadata has no part in.
class Version {
 public:
  static std::optional<Version> parse(std::string_view text);

  bool is_prerelease() const { return !m_prerelease.empty(); }
  /// The text without build metadata: what a registry calls it.
  const std::string& text() const { return m_text; }

  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const { return (*this <=> other) == std::strong_ordering::equal; }

 private:
  std::string m_text;
  std::vector<std::string> m_numbers;     ///< three, without leading zeros
  std::vector<std::string> m_prerelease;  ///< identifiers
};

}  // namespace liftlock::npm
