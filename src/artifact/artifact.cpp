#include "artifact/artifact.hpp"

#include <algorithm>

#include "artifact/artifact_lines.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_files = 1'000'000;
constexpr std::size_t k_max_text = 4096;

std::string short_text(const Json& json, std::string_view key, std::string_view where) {
  auto text = string_member(json, key, where);
  if (text.size() > k_max_text)
    fail(ErrorCode::limit_exceeded, "{}: '{}' is longer than {} bytes", where, key, k_max_text);
  return text;
}

Json evidence_to_json(const std::vector<Evidence>& evidence) {
  auto out = Json::array();
  for (const auto& item : evidence) {
    auto entry = item.details.is_object() ? item.details : Json::object();
    entry["type"] = item.type;
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<Evidence> evidence_from_json(const Json& json, std::string_view where) {
  std::vector<Evidence> out;
  for (auto entry : json) {
    auto type = short_text(entry, "type", where);
    entry.erase("type");
    out.push_back({std::move(type), std::move(entry)});
  }
  return out;
}

}  // namespace

ArtifactFile artifact_file_from_json(const Json& json, std::string_view where) {
  only_members(json, {"path", "size", "digests", "origin", "evidence"}, where);
  return {.path = RelPath::parse(string_member(json, "path", where)),
          .size = uint_member(json, "size", where),
          .digest = Digest::parse_sha256_hex(string_member(object_member(json, "digests", where), "sha256", where)),
          .origin = short_text(json, "origin", where),
          .evidence = evidence_from_json(array_member(json, "evidence", where), where)};
}

Json to_json(const ArtifactFile& file) {
  return {{"path", file.path.text()},
          {"size", file.size},
          {"digests", {{"sha256", file.digest.hex()}}},
          {"origin", file.origin},
          {"evidence", evidence_to_json(file.evidence)}};
}

std::string Artifact::id() const {
  return fmt::format("{}:{}@{}", kind, name, version);
}

std::uint64_t Artifact::total_size() const {
  std::uint64_t sum = 0;
  for (const auto& file : files) sum += file.size;
  return sum;
}

Json to_json(const Artifact& artifact) {
  auto files = Json::array();
  for (const auto& file : artifact.files) files.push_back(to_json(file));
  return {{"kind", artifact.kind},       {"name", artifact.name},   {"version", artifact.version},
          {"license", artifact.license}, {"facts", artifact.facts}, {"needs", artifact.needs},
          {"files", std::move(files)}};
}

Artifact artifact_from_json(const Json& json) {
  std::size_t next = 0;
  // Without files artifact_from_parts says what is wrong.
  const auto files = json.is_object() ? json.find("files") : json.end();
  const bool listed = json.is_object() && files != json.end() && files->is_array();
  return artifact_from_parts(json, listed ? files->size() : 0,
                             [&](std::string_view where) { return artifact_file_from_json((*files)[next++], where); });
}

Artifact artifact_from_parts(const Json& json, std::size_t count, const NextFile& next) {
  std::string where = "an artifact";
  only_members(json, {"kind", "name", "version", "license", "facts", "needs", "files"}, where);
  Artifact artifact;
  artifact.kind = short_text(json, "kind", where);
  artifact.name = short_text(json, "name", where);
  artifact.version = short_text(json, "version", where);
  where = "artifact " + printable(artifact.id());
  artifact.license = short_text(json, "license", where);
  artifact.facts = object_member(json, "facts", where);
  for (const auto& need : array_member(json, "needs", where)) {
    if (!need.is_string()) fail(ErrorCode::schema_violation, "{}: 'needs' must hold strings", where);
    artifact.needs.push_back(need.get<std::string>());
  }
  array_member(json, "files", where);
  if (count == 0 || count > k_max_files) fail(ErrorCode::schema_violation, "{}: {} files", where, count);
  for (std::size_t i = 0; i < count; ++i) artifact.files.push_back(next(where));
  const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
  if (!std::is_sorted(artifact.files.begin(), artifact.files.end(), by_path)) {
    fail(ErrorCode::schema_violation, "{}: its files are not sorted by path", where);
  }
  return artifact;
}

}  // namespace liftlock
