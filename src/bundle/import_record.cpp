#include "bundle/import_record.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/channel.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_where = "import.json";
constexpr std::string_view k_format = "liftlock.import/1";
constexpr std::size_t k_max_record = 64u << 20;  ///< of 200,000 artifacts
constexpr std::array k_beliefs = {Belief::nobody, Belief::digest, Belief::signature};

std::vector<std::string> strings(const Json& json, std::string_view key) {
  std::vector<std::string> out;
  for (const auto& one : array_member(json, key, k_where)) {
    if (!one.is_string()) fail(ErrorCode::schema_violation, "{}: '{}' must hold strings", k_where, key);
    out.push_back(one.get<std::string>());
  }
  return out;
}

Belief belief_of(const Json& json) {
  const auto text = string_member(json, "believed_by", k_where);
  const auto belief = parse_belief(text);
  if (!belief) fail(ErrorCode::schema_violation, "{}: believed_by '{}'", k_where, printable(text));
  return *belief;
}

}  // namespace

std::string_view name(Belief belief) {
  switch (belief) {
    case Belief::nobody:
      return "nobody";
    case Belief::digest:
      return "digest";
    case Belief::signature:
      return "signature";
  }
  fail(ErrorCode::internal, "unknown belief");
}

std::optional<Belief> parse_belief(std::string_view text) {
  for (const auto belief : k_beliefs) {
    if (name(belief) == text) return belief;
  }
  return std::nullopt;
}

Evidence to_evidence(const ImportEvidence& evidence) {
  Json details = {{"believed_by", name(evidence.belief)}, {"source", evidence.source}, {"shape", evidence.shape}};
  if (!evidence.document.empty()) details["document"] = evidence.document;
  if (!evidence.keys.empty()) details["keys"] = evidence.keys;
  return {std::string(k_import_evidence), std::move(details)};
}

std::optional<Belief> imported_by(const Artifact& artifact) {
  std::optional<Belief> weakest;
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (evidence.type != k_import_evidence) continue;
      const auto found = evidence.details.find("believed_by");
      const bool stated = found != evidence.details.end() && found->is_string();
      const auto belief = stated ? parse_belief(found->get_ref<const std::string&>()) : std::nullopt;
      weakest = std::min(weakest.value_or(Belief::signature), belief.value_or(Belief::nobody));
    }
  }
  return weakest;
}

std::string import_label(const Artifact& artifact) {
  return imported_by(artifact) == Belief::nobody ? "UNSIGNED IMPORT: nobody vouches for these bytes" : "";
}

Digest import_content(const std::vector<Artifact>& artifacts) {
  std::vector<std::string> lines;
  for (const auto& artifact : artifacts) lines.push_back(dump_json_line(to_json(artifact)));
  std::sort(lines.begin(), lines.end());
  Hasher hasher;
  for (const auto& line : lines) hasher.update(line + "\n");
  return hasher.finish();
}

std::string encode_import_record(const ImportRecord& record) {
  Json json = {{"format", k_format},
               {"shape", record.shape},
               {"source", record.source},
               {"believed_by", name(record.belief)},
               {"document", record.document},
               {"keys", record.keys},
               {"reason", record.reason},
               {"actor", record.actor},
               {"imported_at", format_time(record.imported_at)},
               {"artifacts", record.artifacts},
               {"content", {{"sha256", record.content.hex()}}},
               {"replaced", record.replaced}};
  if (!record.digests.empty()) {
    auto& digests = json["artifact_digests"] = Json::array();
    for (const auto& digest : record.digests) digests.push_back(digest.hex());
  }
  return dump_json(json);
}

ImportRecord parse_import_record(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_record});
  only_members(json,
               {"format", "shape", "source", "believed_by", "document", "keys", "reason", "actor", "imported_at",
                "artifacts", "artifact_digests", "content", "replaced"},
               k_where);
  if (string_member(json, "format", k_where) != k_format)
    fail(ErrorCode::too_new, "{}: its format is not '{}'", k_where, k_format);
  const auto& content = object_member(json, "content", k_where);
  auto artifacts = strings(json, "artifacts");
  std::vector<Digest> digests;
  if (json.contains("artifact_digests")) {
    for (const auto& hex : strings(json, "artifact_digests")) digests.push_back(Digest::parse_sha256_hex(hex));
    if (digests.size() != artifacts.size())
      fail(ErrorCode::schema_violation, "{}: {} artifacts, and {} digests of them", k_where, artifacts.size(),
           digests.size());
  }
  return {.shape = string_member(json, "shape", k_where),
          .source = string_member(json, "source", k_where),
          .belief = belief_of(json),
          .document = string_member(json, "document", k_where),
          .keys = strings(json, "keys"),
          .reason = string_member(json, "reason", k_where),
          .actor = string_member(json, "actor", k_where),
          .imported_at = parse_time(string_member(json, "imported_at", k_where)),
          .artifacts = std::move(artifacts),
          .content = Digest::parse_sha256_hex(string_member(content, "sha256", k_where)),
          .replaced = strings(json, "replaced"),
          .digests = std::move(digests)};
}

std::uint64_t last_import(const AuditLog& log) {
  std::uint64_t last = 0;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.type != k_import_event) return true;
    const auto slash = entry.event.subject.rfind('/');
    if (slash == std::string::npos) return true;
    last = std::max(last, parse_uint(std::string_view(entry.event.subject).substr(slash + 1)).value_or(0));
    return true;
  });
  return last;
}

}  // namespace liftlock
