#include "ecosystem/pypi/core_metadata.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/version.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_fields = 20'000;
constexpr std::size_t k_short_license = 100;

void set_once(std::string& field, std::string value, std::string_view what) {
  if (!field.empty()) fail(ErrorCode::package_malformed, "the metadata has {} twice", what);
  field = std::move(value);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_header_fields(std::string_view text) {
  if (text.size() > k_max_core_metadata) {
    fail(ErrorCode::limit_exceeded, "metadata of {} bytes; at most {} are read", text.size(), k_max_core_metadata);
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::pair<std::string, std::string>> out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      if (out.empty()) fail(ErrorCode::package_malformed, "the metadata begins with a continued line");
      out.back().second += "\n" + std::string(trim(line));
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      fail(ErrorCode::package_malformed, "the metadata has a line without a field name: '{}'",
           printable(line.substr(0, 80)));
    }
    if (out.size() >= k_fields) fail(ErrorCode::limit_exceeded, "the metadata has more than {} fields", k_fields);
    out.emplace_back(to_lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
  }
  return out;
}

CoreMetadata parse_core_metadata(std::string_view text) {
  CoreMetadata out;
  for (auto& [name, value] : parse_header_fields(text)) {
    if (!is_utf8(value)) fail(ErrorCode::package_malformed, "the metadata field {} is not UTF-8", printable(name));
    if (name == "metadata-version")
      set_once(out.metadata_version, std::move(value), "Metadata-Version");
    else if (name == "name")
      set_once(out.name, std::move(value), "Name");
    else if (name == "version")
      set_once(out.version, std::move(value), "Version");
    else if (name == "summary")
      out.summary = std::move(value);
    else if (name == "license-expression")
      out.license_expression = std::move(value);
    else if (name == "license")
      out.license = std::move(value);
    else if (name == "requires-python")
      out.requires_python = std::move(value);
    else if (name == "classifier")
      out.classifiers.push_back(std::move(value));
    else if (name == "requires-dist")
      out.requires_dist.push_back(std::move(value));
    else if (name == "provides-extra")
      out.provides_extra.push_back(std::move(value));
  }
  if (!is_project_name(out.name))
    fail(ErrorCode::package_malformed, "the metadata has no proper Name: '{}'", printable(out.name));
  if (!PyVersion::parse(out.version)) {
    fail(ErrorCode::package_malformed, "the metadata has no proper Version: '{}'", printable(out.version));
  }
  return out;
}

std::string CoreMetadata::license_text() const {
  if (!license_expression.empty()) return license_expression;
  if (!license.empty() && license.size() <= k_short_license && license.find('\n') == std::string::npos &&
      license != "UNKNOWN") {
    return license;
  }
  std::string out;
  for (const auto& classifier : classifiers) {
    if (!classifier.starts_with("License ::")) continue;
    const auto last = trim(std::string_view(classifier).substr(classifier.rfind("::") + 2));
    out += (out.empty() ? "" : "; ") + std::string(last);
  }
  return out;
}

}  // namespace liftlock
