#include "bundle/standing.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/channel.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/manifest.hpp"
#include "bundle/signatures.hpp"
#include "bundle/trust_mark.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

std::string name_of(const Publication& publication) {
  return fmt::format("{}/{}", publication.channel, publication.sequence);
}

bool is_import(const Publication& publication) {
  return publication.channel == k_import_channel;
}

/// A file that was kept with the publication.
std::string kept_file(const BlobStore& store, const RelPath& path, const Digest& digest, std::uint64_t max_bytes) {
  auto bytes = read_all(store.open(digest).get(), max_bytes, path.text());
  if (sha256(bytes) != digest) fail(ErrorCode::blob_corrupt, "the store's own copy of '{}' has rotted", path.text());
  return bytes;
}

std::vector<SignatureFile> kept_signatures(const Publication& publication, const BlobStore& store) {
  std::vector<SignatureFile> out;
  for (const auto& file : publication.other_files) {
    if (!is_signature_path(file.path)) continue;
    out.push_back(
        {std::string(file.path.filename()), kept_file(store, file.path, file.digest, bundle_limits::k_signature)});
  }
  return out;
}

/// The root statements that bundle.json binds, oldest first.
std::vector<std::string> kept_statements(const BundleInfo& info, const BlobStore& store) {
  std::map<std::uint64_t, std::string> by_version;
  for (const auto& [path, bound] : info.lists) {
    if (path.parent() != "manifest/trust") continue;
    const auto name = path.filename();
    if (const auto version = parse_uint(name.substr(0, name.find('.'))))
      by_version[*version] = kept_file(store, path, bound.digest, bundle_limits::k_trust_statement);
  }
  std::vector<std::string> out;
  for (auto& [version, statement] : by_version) out.push_back(std::move(statement));
  return out;
}

std::string bound_list(const BundleInfo& info, const BlobStore& store, std::string_view path) {
  const auto bound = info.lists.find(RelPath::parse(path));
  if (bound == info.lists.end()) fail(ErrorCode::missing_file, "bundle.json does not bind '{}'", path);
  return kept_file(store, bound->first, bound->second.digest, bundle_limits::k_list);
}

/// Does the audit log know that this very document came in here, as what the catalog calls it? The intent is written
/// when all was judged; a run that was killed after it may have published.
bool has_landed(const AuditLog& log, const Publication& publication) {
  const auto* const member = is_import(publication) ? "import" : "bundle";
  const auto digest = sha256(publication.bundle_json).text();
  try {
    const auto entry = log.find_last(
        is_import(publication) ? k_import_event : k_ingest_event, name_of(publication), [&](const AuditEntry& one) {
          return one.event.outcome != Outcome::failure && parse_json(one.event.detail).value(member, "") == digest;
        });
    if (entry) (void)log.read_proven(entry->index);
    return entry.has_value();
  } catch (const Error& error) {
    // An alarm of its own, which takes models from nobody (docs/decisions/damaged-log.md).
    if (error.code() != ErrorCode::audit_broken) throw;
    return true;
  }
}

/// What landed was judged then: a key that retired or expired since counts as it did, and one that is revoked does not.
std::vector<JudgedSignature> as_landed(std::vector<JudgedSignature> judged, const TrustRoot& root) {
  for (auto& one : judged) {
    if (!has_ended(one.status)) continue;
    one.status = SignatureStatus::valid;
    for (const auto& key : root.retired) {
      if (!one.role && key.id == one.key_id) one.role = key.role;
    }
  }
  return judged;
}

bool is_recorded(const ImportRecord& record, const Publication& import, const Artifact& artifact) {
  // Records of before have one digest for all, which is that of none of them once one was withdrawn.
  if (record.digests.empty()) return import_content(import.artifacts) == record.content;
  const auto found = std::find(record.artifacts.begin(), record.artifacts.end(), artifact.id());
  if (found == record.artifacts.end()) return false;
  const auto at = static_cast<std::size_t>(found - record.artifacts.begin());
  return record.digests[at] == sha256(artifact_line(artifact));
}

}  // namespace

Digest document_of(const Publication& publication) {
  const auto digest = sha256(publication.bundle_json);
  if (digest != publication.bundle_digest)
    fail(ErrorCode::store_invalid, "the catalog has its document under another digest: restore the newest backup");
  return digest;
}

bool has_ended(SignatureStatus status) {
  return status == SignatureStatus::retired_key || status == SignatureStatus::expired_key;
}

std::optional<Publication> publication_of(const Catalog& catalog, const Artifact& artifact) {
  std::optional<Publication> newest;
  const auto holders = catalog.holders(artifact.id());
  for (const auto& summary : catalog.publications()) {
    const auto here = fmt::format("{}/{}", summary.channel, summary.sequence);
    if (std::find(holders.begin(), holders.end(), here) == holders.end()) continue;
    if (newest && summary.published_at < newest->published_at) continue;
    auto publication = catalog.publication(summary.channel, summary.sequence);
    const bool holds = publication && std::find(publication->artifacts.begin(), publication->artifacts.end(),
                                                artifact) != publication->artifacts.end();
    if (holds) newest = std::move(publication);
  }
  return newest;
}

LandedBundle judge_landed(const Publication& bundle, const BlobStore& store, const TrustStore& trust) {
  const auto statements = kept_statements(parse_bundle_info(bundle.bundle_json), store);
  auto root = judge_chain(trust.pinned_chain(), statements, now());
  auto thresholds = statements.empty() ? root.thresholds : parse_root(statements.back()).thresholds;
  auto signatures = judge(bundle.bundle_json, kept_signatures(bundle, store), root, now());
  return {std::move(root), std::move(thresholds), std::move(signatures)};
}

void require_landed(const LandedBundle& judged, const Publication& bundle, const AuditLog& log) {
  try {
    return require_thresholds(judged.signatures, judged.root);
  } catch (const Error&) {
    // Nothing but the log tells what was signed before a key retired from what was signed after.
    if (!has_landed(log, bundle)) throw;
  }
  auto then = judged.root;
  then.thresholds = judged.thresholds_then;
  require_thresholds(as_landed(judged.signatures, judged.root), then);
}

void require_listed(const Publication& bundle, const BlobStore& store, const Artifact& artifact) {
  const auto info = parse_bundle_info(bundle.bundle_json);
  auto files = parse_files_list(bound_list(info, store, k_files_list_path));
  if (info.builds_on) files = join_files(files, parse_files_list(bound_list(info, store, k_left_out_list_path)));
  const auto artifacts = parse_artifacts_list(bound_list(info, store, k_artifacts_list_path), files);
  if (std::find(artifacts.begin(), artifacts.end(), artifact) != artifacts.end()) return;
  fail(ErrorCode::store_invalid, "the signed lists of {} do not have this '{}'", name_of(bundle),
       printable(artifact.id()));
}

const TrustedKey* revoked_signer(const ImportRecord& record, const TrustRoot& root) {
  for (const auto* keys : {&root.keys, &root.retired}) {
    for (const auto& key : *keys) {
      const bool signed_it = std::find(record.keys.begin(), record.keys.end(), key.id) != record.keys.end();
      if (signed_it && key.revoked_since) return &key;
    }
  }
  return nullptr;
}

void require_import(const Publication& import, const Artifact& artifact, const AuditLog& log, const TrustStore& trust) {
  const auto record = parse_import_record(import.bundle_json);
  if (!has_landed(log, import)) {
    throw Error(ErrorCode::store_invalid, fmt::format("the audit log does not know {} as this import", name_of(import)),
                fmt::format("find out where it comes from; `liftlock retire {} --reason TEXT` takes it out of use, and "
                            "what is wanted of it can be imported anew",
                            name_of(import)));
  }
  if (!is_recorded(record, import, artifact))
    fail(ErrorCode::store_invalid, "the record of {} has another '{}'", name_of(import), printable(artifact.id()));
  if (trust.empty()) return;
  const auto root = trust.current();
  if (const auto* key = revoked_signer(record, root)) {
    throw Error(
        ErrorCode::key_revoked,
        fmt::format("{} was signed by {}, whose key is revoked: {}", name_of(import), printable(key->owner),
                    printable(key->revoked_reason)),
        "import it again with a signature by a valid key; `liftlock retire --revoked` takes this one out of use");
  }
}

Believed require_believed(const Artifact& artifact, const Catalog& catalog, const BlobStore& store, const AuditLog& log,
                          const TrustStore& trust) {
  require_trust_as_marked(catalog, trust, log);
  const auto publication = publication_of(catalog, artifact);
  if (!publication) {
    fail(ErrorCode::store_invalid, "the catalog has '{}', and no bundle and no import that brought it",
         printable(artifact.id()));
  }
  return with_context(fmt::format("for '{}' of {}", printable(artifact.id()), name_of(*publication)),
                      [&]() -> Believed {
                        Believed out{name_of(*publication), document_of(*publication), Belief::signature};
                        if (is_import(*publication)) {
                          require_import(*publication, artifact, log, trust);
                          out.belief = imported_by(artifact).value_or(Belief::nobody);
                        } else {
                          require_landed(judge_landed(*publication, store, trust), *publication, log);
                          require_listed(*publication, store, artifact);
                        }
                        return out;
                      });
}

Believed Beliefs::require(const Artifact& artifact, const fs::path& catalog_file, const BlobStore& store,
                          const AuditLog& log, const TrustStore& trust) {
  const auto key = sha256(artifact_line(artifact));
  const auto root = trust.empty() ? unsigned_root() : trust.current().fingerprint;
  {
    const std::lock_guard lock(m_mutex);
    if (const auto known = m_known.find(key); known != m_known.end() && known->second.root == root)
      return known->second.believed;
  }
  auto believed = require_believed(artifact, Catalog(catalog_file, Access::read), store, log, trust);
  const std::lock_guard lock(m_mutex);
  m_known.insert_or_assign(key, Known{root, believed});
  return believed;
}

std::vector<JudgedSignature> revoked_signatures(const Publication& publication, const BlobStore& store,
                                                const TrustRoot& root, Timestamp when) {
  auto judged = judge(publication.bundle_json, kept_signatures(publication, store), root, when);
  std::erase_if(judged, [](const auto& one) { return one.status != SignatureStatus::revoked_key; });
  return judged;
}

}  // namespace liftlock
