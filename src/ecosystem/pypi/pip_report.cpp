#include "ecosystem/pypi/pip_report.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "ecosystem/pypi/project_name.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_where = "pip's report";
constexpr JsonLimits k_limits{.max_bytes = 256u << 20, .max_depth = 32};

std::vector<std::string> texts(const Json& object, std::string_view key) {
  std::vector<std::string> out;
  if (!object.contains(std::string(key))) return out;
  for (const auto& value : array_member(object, key, k_where)) {
    if (!value.is_string())
      fail(ErrorCode::schema_violation, "{}: '{}' holds something that is no string", k_where, key);
    out.push_back(value.get<std::string>());
  }
  return out;
}

/// The metadata's JSON form (PEP 566): names in lower case with '_', repeated fields as arrays.
CoreMetadata metadata_of(const Json& json) {
  CoreMetadata out;
  out.name = string_member(json, "name", k_where);
  out.version = string_member(json, "version", k_where);
  out.summary = string_member_or(json, "summary", "", k_where);
  out.license = string_member_or(json, "license", "", k_where);
  out.license_expression = string_member_or(json, "license_expression", "", k_where);
  out.requires_python = string_member_or(json, "requires_python", "", k_where);
  out.classifiers = texts(json, "classifier");
  out.requires_dist = texts(json, "requires_dist");
  out.provides_extra = texts(json, "provides_extra");
  if (!is_project_name(out.name))
    fail(ErrorCode::schema_violation, "{}: '{}' is no project name", k_where, printable(out.name));
  return out;
}

std::optional<Digest> digest_of(const Json& archive) {
  std::string hex;
  if (archive.contains("hashes"))
    hex = string_member_or(object_member(archive, "hashes", k_where), "sha256", "", k_where);
  if (const auto old = string_member_or(archive, "hash", "", k_where); hex.empty() && old.starts_with("sha256=")) {
    hex = old.substr(7);
  }
  if (hex.empty()) return std::nullopt;
  return Digest::parse_sha256_hex(to_lower(hex));
}

PipChoice choice_of(const Json& json) {
  PipChoice out;
  out.metadata = metadata_of(object_member(json, "metadata", k_where));
  const auto& download = object_member(json, "download_info", k_where);
  out.url = string_member(download, "url", k_where);
  if (!download.contains("archive_info")) {
    throw Error(ErrorCode::unresolvable,
                fmt::format("{} comes from a folder or a version control system, not from a file", out.metadata.name),
                "build a wheel of it, put it in a folder and name that with `find_links`");
  }
  out.digest = digest_of(object_member(download, "archive_info", k_where));
  const std::string_view path = std::string_view(out.url).substr(0, out.url.find_first_of("?#"));
  const auto name = decode_percent(path.substr(path.rfind('/') + 1));
  if (!name) fail(ErrorCode::schema_violation, "{}: '{}' names no file", k_where, printable(out.url));
  out.filename = *name;
  for (const auto& extra : texts(json, "requested_extras")) out.extras.insert(normalize_project_name(extra));
  out.yanked = json.contains("is_yanked") && bool_member(json, "is_yanked", k_where);
  return out;
}

}  // namespace

PipReport parse_pip_report(std::string_view text) {
  const auto json = parse_json(text, k_limits);
  if (string_member(json, "version", k_where) != "1")
    fail(ErrorCode::schema_violation, "{} is not of format version 1", k_where);
  PipReport out;
  out.pip_version = string_member(json, "pip_version", k_where);
  for (const auto& [key, value] : object_member(json, "environment", k_where).items()) {
    if (value.is_string()) out.environment[key] = value.get<std::string>();
  }
  for (const auto& item : array_member(json, "install", k_where)) out.choices.push_back(choice_of(item));
  return out;
}

}  // namespace liftlock
