// High side: reads the page of one project of somebody else's package index, HTML (PEP 503) or JSON (PEP 691).
// https://packaging.python.org/en/latest/specifications/simple-repository-api/
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock {

struct SimpleLink {
  std::string href;              ///< as it stands there, references of HTML resolved
  std::optional<Digest> sha256;  ///< where the page states it
};

/// Files by name. Of a name that stands there twice, the first. What is no link to a file is passed over.
/// @param content_type of the answer: JSON where it says so, else HTML
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
std::map<std::string, SimpleLink, std::less<>> read_simple_page(std::string_view page, std::string_view content_type);

}  // namespace liftlock
