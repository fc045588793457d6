#include "intake/publishing.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/import_channel.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

bool same_content(const Artifact& a, const Artifact& b) {
  return a.id() == b.id() &&
         std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
                    [](const auto& x, const auto& y) { return x.path == y.path && x.digest == y.digest; });
}

std::uint64_t next_number(const AuditLog& log, const Catalog& catalog) {
  auto last = last_import(log);
  for (const auto& one : catalog.publications()) {
    if (one.channel == k_import_channel) last = std::max(last, one.sequence);
  }
  for (const auto& one : catalog.retired()) {
    if (one.channel == k_import_channel) last = std::max(last, one.sequence);
  }
  return last + 1;
}

AuditEvent import_event(const ImportPublication& import, const Digest& digest, std::uint64_t number) {
  const auto& record = import.record;
  Json detail = {{"import", digest.text()},
                 {"source", printable(record.source)},
                 {"shape", record.shape},
                 {"believed_by", name(record.belief)},
                 {"artifacts", record.artifacts.size()},
                 {"content", record.content.text()}};
  if (!record.keys.empty()) detail["keys"] = record.keys;
  if (record.belief == Belief::nobody) {
    detail["remark"] = "unsigned import: " + record.reason;  // the auditor's report shows these first
  } else if (!record.reason.empty()) {
    detail["reason"] = record.reason;
  }
  if (import.scan) detail["scan"] = scan_detail(*import.scan);
  return {.type = std::string(k_import_event),
          .actor = record.actor,
          .outcome = Outcome::intent,
          .subject = fmt::format("{}/{}", k_import_channel, number),
          .detail = dump_json_line(detail)};
}

AuditEvent withdraw_event(const ImportPublication& import, const Artifact& artifact, const Digest& digest) {
  return {.type = "artifact.withdraw",
          .actor = import.record.actor,
          .outcome = Outcome::intent,
          .subject = artifact.id(),
          .detail = dump_json_line({{"why", "replaced"}, {"import", digest.text()}})};
}

}  // namespace

std::optional<Belief> present_as(const Catalog& catalog, const std::vector<Artifact>& artifacts) {
  std::multimap<std::string, Artifact> here;
  for (auto& artifact : catalog.artifacts()) here.emplace(artifact.id(), artifact);
  auto weakest = Belief::signature;
  for (const auto& artifact : artifacts) {
    std::optional<Belief> best;
    const auto [from, to] = here.equal_range(artifact.id());
    for (auto other = from; other != to; ++other) {
      if (!same_content(artifact, other->second)) return std::nullopt;
      best = std::max(best, std::optional(imported_by(other->second).value_or(Belief::signature)));
    }
    if (!best || *best < imported_by(artifact).value_or(Belief::nobody)) return std::nullopt;
    weakest = std::min(weakest, *best);
  }
  return weakest;
}

std::vector<Artifact> replaced_by(const Catalog& catalog, const std::vector<Artifact>& artifacts,
                                  const ImportRequest& request) {
  std::vector<Artifact> out;
  for (const auto& here : catalog.artifacts()) {
    const auto id = here.id();
    const auto same = std::lower_bound(artifacts.begin(), artifacts.end(), id,
                                       [](const auto& artifact, const auto& wanted) { return artifact.id() < wanted; });
    if (same == artifacts.end() || same->id() != id) continue;
    const auto by = imported_by(here);
    const auto ours = imported_by(*same).value_or(Belief::nobody);
    const bool identical = same_content(*same, here);
    if (!identical && !request.replace) {
      throw Error(ErrorCode::immutable, fmt::format("{} is here with other content", printable(id)),
                  "give --replace: what is here stays in use until the new one was checked");
    }
    if (!identical && ours < by.value_or(Belief::signature)) {
      throw Error(ErrorCode::immutable,
                  fmt::format("{} came {}, and for this one {}", printable(id),
                              by ? fmt::format("by an import believed by {}", name(*by)) : "in a signed bundle",
                              ours == Belief::nobody ? "nobody vouches" : "only a digest was announced"),
                  "take the old one out of use first (`liftlock model rm`, `liftlock retire`), or bring a signature");
    }
    // What a bundle brought stays what it is: the newer publication is found first.
    if (by && (!identical || *by < ours)) out.push_back(here);
  }
  return out;
}

Publishing::Publishing(const Site& site, StagedBlobs& staged, Staging& files, Catalog& catalog, std::string batch)
    : m_site(site), m_staged(staged), m_files(files), m_catalog(catalog), m_batch(std::move(batch)) {}

std::vector<ArtifactFile> Publishing::front_of(const ImportPublication& import, const std::string& text) {
  std::vector<ArtifactFile> out;
  const auto add = [&](const std::string& path, const std::string& bytes) {
    out.push_back({.path = RelPath::parse(path),
                   .size = bytes.size(),
                   .digest = m_files.keep(bytes),
                   .origin = {},
                   .evidence = {}});
  };
  std::set<std::string> seen;
  for (const auto& [name, bytes] : import.documents) {
    if (seen.insert(name).second) add("import/" + name, bytes);
  }
  add("manifest/bundle.json", text);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

std::uint64_t Publishing::publish(const ImportPublication& import) {
  AuditLog log(m_site.audit_folder(), "");
  const auto text = encode_import_record(import.record);
  const auto digest = sha256(text);
  m_digest = digest;
  auto front = front_of(import, text);
  std::vector<Digest> digests;
  for (const auto& file : front) digests.push_back(file.digest);
  m_catalog.pin(m_batch, digests);

  const auto number = next_number(log, m_catalog);
  std::vector<AuditEvent> events = {import_event(import, digest, number)};
  for (const auto& artifact : import.replaced) events.push_back(withdraw_event(import, artifact, digest));
  if (import.scan) {
    const auto further = further_not_scanned(*import.scan, import.record.actor, events.front().subject);
    for (const auto& event : further) log.append(event);
  }
  for (const auto& event : events) log.append(event);
  m_began = true;
  try {
    enter(import, number, text, std::move(front));
  } catch (...) {
    // Of the import itself the caller tells.
    for (auto event = events.begin() + 1; event != events.end(); ++event) {
      event->outcome = Outcome::failure;
      log.append(*event);
    }
    throw;
  }
  m_catalog.unpin(m_batch);
  for (auto& event : events) {
    event.outcome = Outcome::success;
    log.append(event);
  }
  return number;
}

void Publishing::enter(const ImportPublication& import, std::uint64_t number, const std::string& text,
                       std::vector<ArtifactFile> front) {
  m_staged.commit();
  // With what goes out of use for it in one transaction: whoever asks finds the old or the new, and a run that was
  // killed has done all of it or nothing.
  m_catalog.publish({.channel = std::string(k_import_channel),
                     .sequence = number,
                     .bundle_digest = *m_digest,
                     .bundle_json = text,
                     .published_at = import.record.imported_at,
                     .artifacts = import.artifacts,
                     .other_files = std::move(front),
                     .facts = import.facts},
                    Catalog::Retired::refuse, import.replaced);
}

}  // namespace liftlock
