// The pages of a package index: https://packaging.python.org/en/latest/specifications/simple-repository-api/
// (PEP 503, 592, 629, 658, 691, 700, 714), API version 1.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock {

struct SimpleFile {
  std::string filename;
  std::string version;
  std::uint64_t size = 0;
  Digest digest;
  std::string requires_python;            ///< empty: not stated
  std::optional<Digest> metadata_digest;  ///< of FILENAME.metadata; nullopt: there is none
};

enum class SimpleForm : std::uint8_t { json, html_v1, html };

/// "application/vnd.pypi.simple.v1+json" …
std::string_view content_type(SimpleForm form);

/// The form that an Accept header prefers; "text/html" for none. Ties go to JSON, wildcards to HTML.
/// @throws Error{not_acceptable}
SimpleForm negotiate_simple_form(std::string_view accept);

/// Names must be normalised.
std::string simple_index_page(const std::vector<std::string>& names, SimpleForm form);
/// Files are named relative to the page: NAME/FILENAME.
std::string simple_project_page(std::string_view name, const std::vector<SimpleFile>& files, SimpleForm form);

}  // namespace liftlock
