// METADATA and PKG-INFO: https://packaging.python.org/en/latest/specifications/core-metadata/ (PEP 566, 643, 685, 639).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liftlock {

struct CoreMetadata {
  std::string metadata_version;
  std::string name;
  std::string version;
  std::string summary;
  std::string license_expression;
  std::string license;
  std::string requires_python;
  std::vector<std::string> classifiers;
  std::vector<std::string> requires_dist;
  std::vector<std::string> provides_extra;

  /// License-Expression; else License if it is one short line; else the "License ::" classifiers; else empty.
  std::string license_text() const;
};

constexpr std::uint64_t k_max_core_metadata = 8u << 20;

/// Header lines up to the first empty line (what follows is the description), continued by lines that begin with a
/// blank. UTF-8, at most k_max_core_metadata bytes and 20 000 fields. Fields we do not use are skipped.
/// @throws Error{package_malformed, limit_exceeded} also when Name or Version is missing, malformed or there twice
CoreMetadata parse_core_metadata(std::string_view text);

/// The fields of any such file, names in lower case, in order: WHEEL has the same grammar.
std::vector<std::pair<std::string, std::string>> parse_header_fields(std::string_view text);

}  // namespace liftlock
