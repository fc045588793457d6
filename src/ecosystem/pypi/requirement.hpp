// One requirement of a project, with its environment marker:
// https://packaging.python.org/en/latest/specifications/dependency-specifiers/ (PEP 508).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/pypi/version.hpp"

namespace liftlock {

/// "python_version" → "3.11", "sys_platform" → "linux" … as in pip's installation report.
using MarkerEnvironment = std::map<std::string, std::string>;

struct Requirement {
  std::string name;              ///< normalised
  std::set<std::string> extras;  ///< normalised
  std::string specifier;         ///< as written, without parentheses: ">=1,<2"
  std::vector<PySpecifier> clauses;
  std::string url;     ///< of "name @ url"
  std::string marker;  ///< as written; empty: always

  /// At most 4096 bytes, markers at most 32 deep; nullopt for anything that is no requirement.
  static std::optional<Requirement> parse(std::string_view text);

  /// Is it wanted in this environment, when these extras (normalised) of the project it belongs to are wanted?
  /// A marker variable that the environment lacks is the empty string.
  bool applies(const MarkerEnvironment& environment, const std::set<std::string>& wanted_extras) const;
};

}  // namespace liftlock
