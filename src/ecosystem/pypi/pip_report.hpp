// pip's installation report: https://pip.pypa.io/en/stable/reference/installation-report/ (format version 1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "ecosystem/pypi/core_metadata.hpp"
#include "ecosystem/pypi/requirement.hpp"

namespace liftlock {

/// One project that pip would install.
struct PipChoice {
  std::string url;  ///< of the wheel or sdist; pip leaves credentials out
  std::string filename;
  std::optional<Digest> digest;  ///< absent when the index states nothing better than MD5 or SHA-1
  CoreMetadata metadata;
  std::set<std::string> extras;  ///< normalised
  bool yanked = false;
};

struct PipReport {
  std::string pip_version;
  MarkerEnvironment environment;  ///< of the interpreter that ran pip
  std::vector<PipChoice> choices;
};

/// @throws Error{schema_violation, json_invalid, unresolvable (a choice that is no file: a version control checkout)}
PipReport parse_pip_report(std::string_view json);

}  // namespace liftlock
