#include "intake/import.hpp"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/scan.hpp"
#include "bundle/signatures.hpp"
#include "bundle/transfer_line.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "engine/import.hpp"
#include "os/parallel.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "witness/meetings.hpp"

namespace liftlock {
namespace {

/// Who speaks for an import, and how.
struct Voucher {
  Belief belief = Belief::nobody;
  std::string document;           ///< what was signed or announced
  std::vector<std::string> keys;  ///< that signed it
};

/// StagedFiles over a batch of the store.
class Staging : public StagedFiles {
 public:
  Staging(StagedBlobs& staged, std::vector<std::string>& remarks) : m_staged(staged), m_remarks(remarks) {}

  const Digest& digest(const Tree& tree, std::string_view path) const override {
    const auto found = m_digests.find({&tree, std::string(path)});
    if (found == m_digests.end()) fail(ErrorCode::not_found, "'{}' was not taken in", printable(path));
    return found->second;
  }
  UniqueFd open(const Digest& digest) const override { return m_staged.open(digest); }
  bool has(const Digest& digest) const override { return m_staged.has(digest); }
  Digest keep(std::string_view document) override {
    const auto digest = sha256(document);
    if (m_staged.has(digest)) return digest;
    const auto part = m_staged.create(digest);
    write_all(part.get(), document, "a document");
    m_staged.seal(digest, digest);
    return digest;
  }
  void remark(std::string text) override { m_remarks.push_back(std::move(text)); }
  void note(const WantedFile& file, const Digest& digest) {
    const std::lock_guard lock(m_mutex);
    m_digests.emplace(std::make_pair(file.tree.get(), file.path), digest);
  }

 private:
  StagedBlobs& m_staged;
  std::vector<std::string>& m_remarks;
  std::mutex m_mutex;
  std::map<std::pair<const Tree*, std::string>, Digest> m_digests;
};

bool same_content(const Artifact& a, const Artifact& b) {
  return a.id() == b.id() &&
         std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
                    [](const auto& x, const auto& y) { return x.path == y.path && x.digest == y.digest; });
}

/// One run of the pipeline; the steps are called in order by import_from().
class Import {
 public:
  Import(const Site& site, const ImportRequest& request, Reporter& reporter)
      : m_site(site), m_request(request), m_reporter(reporter) {}

  ImportResult run() {
    make_folders(m_site.store_folder());
    vouch_whole();
    look();
    vouch_document();
    if (m_request.plan) return std::move(m_result);
    require_policy();
    BlobStore store(m_site.store_folder());
    Catalog catalog(m_site.catalog_file());
    check_space(store);
    StagedBlobs staged(store, batch());
    try {
      take_in(store, staged, catalog);
    } catch (...) {
      if (!m_ended) {
        staged.discard();
        catalog.unpin(batch());
      }
      throw;
    }
    return std::move(m_result);
  }

  const std::string& digest_text() const { return m_digest_text; }
  const std::optional<ScanReport>& scan_report() const { return m_scan; }

 private:
  std::string batch() const { return "import-" + sha256(fs::absolute(m_request.source).string()).hex().substr(0, 16); }
  std::string source_name() const {
    const auto source = m_request.source.lexically_normal();
    return (source.has_filename() ? source : source.parent_path()).filename().string();
  }

  void note(std::string text) {
    constexpr std::size_t k_max_notes = 200;
    if (m_result.notes.size() < k_max_notes) m_result.notes.push_back(std::move(text));
  }

  /// For who vouches for the file as a whole: before anybody looks into it.
  void vouch_whole() {
    if (!needs_private_copy()) return;
    // What is hashed as a whole must be what is read afterwards: the medium could answer otherwise the second time.
    auto copy = engine::copy_privately(m_request.source, m_site.store_folder());
    m_digest_text = copy.digest.hex();
    m_file = std::make_shared<const UniqueFd>(std::move(copy.file));
    if (m_request.expect) {
      engine::require_announced(copy.digest, *m_request.expect, m_request.source);
      m_whole = {.belief = Belief::digest, .document = source_name(), .keys = {}};
    }
    const auto signatures = engine::import_signatures(m_request.source);
    if (signatures.empty()) return;
    const auto trusted = root();
    if (!trusted && m_request.expect) return;
    m_whole = {.belief = Belief::signature,
               .document = source_name() + ".sha256",
               .keys = engine::require_signed_list(copy.digest, m_request.source,
                                                   TrustStore(m_site.trust_folder()).current(), now())};
    for (const auto& signature : signatures) keep_signature(signature);
    m_kept.emplace_back("list.sha256", read_file(m_request.source.string() + ".sha256", 64u << 10));
  }

  void look() {
    m_tree = open_import(m_request.source, m_file, m_request.cells);
    m_found = recognise(m_tree, m_request.cells);
    if (!m_request.shapes.empty() && !m_request.shapes.contains(m_found.shape)) {
      throw Error(ErrorCode::import_unknown, fmt::format("'{}' is {}", printable(source_name()), m_found.words),
                  "`liftlock import` takes it in");
    }
    m_result.shape = m_found.shape;
    m_result.words = m_found.words;
    m_result.preview = m_found.preview;
    m_result.files = m_found.files.size();
    for (const auto& one : m_found.files) m_result.bytes += one.tree->size(one.path);
    for (const auto& left : m_tree->left_out()) note(left);
    for (const auto& text : m_found.notes) note(text);
    if (expects_one_file()) expect_of_one_file();
  }

  /// A file that is no archive is compared with the announced digest while it is taken in: no copy is needed before.
  void expect_of_one_file() {
    const auto& files = m_found.files;
    if (files.size() != 1 || files[0].tree != m_tree || m_tree->paths().size() != 1 || files[0].stated)
      fail(ErrorCode::digest_mismatch, "'{}' changed while it was looked at", printable(source_name()));
    m_found.files[0].stated = m_request.expect;
    m_found.files[0].stated_by = "--expect";
    m_whole = {.belief = Belief::digest, .document = source_name(), .keys = {}};
  }

  /// Is the file believed as a whole, for its digest or for a signed list beside it?
  bool needs_private_copy() const {
    if (m_request.plan || !fs::is_regular_file(m_request.source)) return false;
    return !engine::import_signatures(m_request.source).empty() || (m_request.expect && !expects_one_file());
  }
  bool expects_one_file() const {
    if (m_request.plan || !m_request.expect || m_file || !fs::is_regular_file(m_request.source)) return false;
    return engine::import_signatures(m_request.source).empty() &&
           container_form(open_file(m_request.source, O_RDONLY | O_NONBLOCK).get()).empty();
  }

  std::optional<TrustRoot> root() const {
    const TrustStore trust(m_site.trust_folder());
    if (trust.empty()) return std::nullopt;
    return trust.current();
  }

  /// For who vouches for a document in it, and by that for the files that it lists.
  void vouch_document() {
    const auto& document = m_found.document;
    if (m_request.expect && m_whole.belief == Belief::nobody && !m_request.plan) {
      if (!document) {
        throw Error(ErrorCode::usage, "--expect is for a file, or for a folder with a list of digests in it",
                    "write a list there with `sha256sum`, as SHA256SUMS, and announce its digest");
      }
      engine::require_announced(sha256(document->text), *m_request.expect, document->what);
      m_inner = {.belief = Belief::digest, .document = document->what, .keys = {}};
    }
    m_missing = document ? fmt::format("nobody signed {}, and no digest was announced", document->what)
                         : "it carries no signature, and no digest was announced";
    if (document && !document->signatures.empty()) judge_document(*document);
    require_approvals();
    const auto& best = std::max(m_whole.belief, m_inner.belief) == m_whole.belief ? m_whole : m_inner;
    m_result.belief = best.belief;
    m_result.keys = best.keys;
    m_result.document = best.document;
  }

  void judge_document(const SignedDocument& document) {
    const auto trusted = root();
    if (!trusted) {
      m_missing = fmt::format("{} is signed, and no trust root is pinned here to judge that by", document.what);
      return note(m_missing);
    }
    m_judged = judge(document.text, document.signatures, *trusted, now(), {Role::builder, Role::approver});
    for (const auto& signature : document.signatures) keep_signature(signature);
    // A signature by somebody unknown is as good as none; a false one, or one by a revoked key, ends the import.
    const bool unknown = std::all_of(m_judged.begin(), m_judged.end(),
                                     [](const auto& one) { return one.status == SignatureStatus::unknown_key; });
    if (unknown) {
      m_missing = fmt::format("{} is signed by a key that the trust root does not list", document.what);
      return note(m_missing);
    }
    require_thresholds(m_judged, *trusted, {Role::builder});
    m_inner = {.belief = Belief::signature, .document = document.what, .keys = {}};
    for (const auto& one : m_judged) {
      if (one.status == SignatureStatus::valid) m_inner.keys.push_back(one.key_id);
    }
  }

  void keep_signature(const SignatureFile& signature) {
    m_kept.emplace_back("signatures/" + portable_component(signature.name), signature.bytes);
  }

  /// The site's own rule for bundles holds here, too.
  void require_approvals() {
    const auto wanted = m_site.config().approvals;
    if (wanted == 0 || approvers_of(m_judged).size() >= wanted) return;
    m_whole = m_inner = {};
    m_missing = fmt::format("the policy wants the approval of {}", counted(wanted, "person", "people"));
    note(m_missing);
  }

  void require_policy() {
    if (m_result.belief == Belief::nobody) require_unsigned(m_missing);
  }

  /// What an artifact is believed for: the best of what speaks for it.
  const Voucher& voucher_of(const Artifact& artifact) const {
    const bool bound = !m_found.bound || m_found.bound(artifact);
    return bound && m_inner.belief > m_whole.belief ? m_inner : m_whole;
  }

  void require_unsigned(const std::string& why) {
    if (!m_request.allow_unsigned) {
      throw Error(
          ErrorCode::unsigned_document, fmt::format("nobody vouches for '{}': {}", printable(source_name()), why),
          "give --expect SHA256 as it was announced by another way, or bring a signature of a builder; unsigned "
          "imports need unsigned_imports = true in [policy] of config.toml, and --reason");
    }
    if (m_request.reason.empty()) fail(ErrorCode::reason_required, "an unsigned import needs --reason");
  }

  void check_space(const BlobStore& store) const {
    std::uint64_t needed = 0;
    for (const auto& file : m_found.files) {
      if (!file.stated || !store.contains(*file.stated)) needed += file.tree->size(file.path);
    }
    const auto free = free_space(m_site.store_folder());
    if (free >= needed + m_site.config().reserve_bytes) return;
    throw Error(ErrorCode::disk_full,
                fmt::format("{} are needed and {} must stay free; the disk has {}", format_size(needed),
                            format_size(m_site.config().reserve_bytes), format_size(free)),
                "free space, e.g. with `liftlock gc`, then run the same command again");
  }

  void take_in(BlobStore& store, StagedBlobs& staged, Catalog& catalog) {
    Staging files(staged, m_result.notes);
    stage(store, staged, files);
    m_artifacts = m_found.make(files);
    finish_artifacts();
    if (is_present(catalog)) {
      staged.discard();
      catalog.unpin(batch());
      m_ended = true;
      m_result.status = ImportResult::Status::already_present;
      return;
    }
    judge_conflicts(catalog);
    pin(staged, catalog);
    const auto open = [&](const Digest& digest) { return staged.open(digest); };
    m_facts = inspect_all(m_artifacts, m_request.inspect, open, catalog, m_reporter);
    look_for_malware(staged);
    publish(files, staged, catalog);
  }

  void stage(const BlobStore& store, StagedBlobs& staged, Staging& files) {
    ProgressTask progress(m_reporter, "extract and verify", Unit::bytes, m_result.bytes);
    const auto advance = [&](std::uint64_t done) { progress.advance(done); };
    parallel_for(m_found.files.size(), [&](std::size_t i) {
      const auto& file = m_found.files[i];
      const auto range = file.tree->open(file.path);
      const auto shown = printable(file.path);
      const auto digest = [&] {
        if (file.stated && staged.has(*file.stated)) {
          if (store.contains(*file.stated)) check_stored(store, *file.stated, shown);
          return sha256_of_range(range.fd, range.offset, range.size, shown, advance);
        }
        const auto part = fmt::format("file-{}", i);
        const auto out = staged.create_named(part);
        const auto copied = copy_hashed(range.fd, range.offset, out.get(), range.size, shown, advance);
        if (!file.stated || *file.stated == copied) staged.seal_named(part, copied);
        return copied;
      }();
      if (file.stated && digest != *file.stated) {
        fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}, which {} states", shown, digest.text(),
             file.stated->text(), file.stated_by);
      }
      files.note(file, digest);
    });
    for (const auto& file : m_found.checked) {
      const auto range = file.tree->open(file.path);
      const auto digest = sha256_of_range(range.fd, range.offset, range.size, printable(file.path), {});
      if (file.stated && digest != *file.stated) {
        fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}, which {} states", printable(file.path),
             digest.text(), file.stated->text(), file.stated_by);
      }
      files.note(file, digest);
    }
  }

  static void check_stored(const BlobStore& store, const Digest& digest, const std::string& shown) {
    if (sha256_of_file(store.open(digest).get(), shown) != digest)
      fail(ErrorCode::blob_corrupt, "the store's own copy of '{}' has rotted", shown);
  }

  void finish_artifacts() {
    if (m_artifacts.empty()) fail(ErrorCode::import_unknown, "'{}' holds nothing to take in", printable(source_name()));
    // Before anything is renamed: what a document binds, it binds by the name that it knows.
    std::vector<const Voucher*> vouchers;
    for (const auto& artifact : m_artifacts) vouchers.push_back(&voucher_of(artifact));
    rename_artifact();
    std::set<std::string> ids, paths;
    auto weakest = Belief::signature;
    for (std::size_t i = 0; i < m_artifacts.size(); ++i) {
      auto& artifact = m_artifacts[i];
      const auto& voucher = *vouchers[i];
      weakest = std::min(weakest, voucher.belief);
      if (voucher.belief == Belief::nobody && m_result.belief != Belief::nobody) {
        require_unsigned(fmt::format("{} says nothing of {}", m_result.document, printable(artifact.id())));
        m_result.unbound.push_back(artifact.id());
      }
      const ImportEvidence evidence{.belief = voucher.belief,
                                    .source = source_name(),
                                    .shape = m_found.shape,
                                    .document = voucher.document,
                                    .keys = voucher.keys};
      for (auto& file : artifact.files) file.evidence.push_back(to_evidence(evidence));
      if (!ids.insert(artifact.id()).second)
        fail(ErrorCode::path_collision, "{} is in it twice, with different content", printable(artifact.id()));
      // Layers are shared by images; all else has a place of its own.
      for (const auto& file : artifact.files) {
        if (artifact.kind != "image" && !paths.insert(file.path.case_folded()).second)
          fail(ErrorCode::path_collision, "two files of it would be called '{}'", file.path.text());
      }
      (void)artifact_from_json(to_json(artifact));  // the limits of the catalog
      m_result.artifacts.push_back(artifact.id());
    }
    // Said of the whole is what holds for each; what nobody vouches for is named by itself.
    if (weakest != Belief::nobody) m_result.belief = weakest;
    std::sort(m_artifacts.begin(), m_artifacts.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
    std::sort(m_result.artifacts.begin(), m_result.artifacts.end());
  }

  void rename_artifact() {
    if (m_request.name.empty()) return;
    if (m_artifacts.size() != 1)
      fail(ErrorCode::usage, "--name is for one artifact, and '{}' holds {}", printable(source_name()),
           m_artifacts.size());
    auto& artifact = m_artifacts.front();
    if (artifact.kind == "model") {
      const auto name = portable_component(m_request.name);
      const auto before = "models/" + artifact.name + "/", after = "models/" + name + "/";
      for (auto& file : artifact.files) file.path = RelPath::parse(after + file.path.text().substr(before.size()));
      artifact.name = name;
    } else if (artifact.kind == "image") {
      artifact.name = m_request.name;
    } else {
      fail(ErrorCode::usage, "--name is for a model or an image; a {} says itself what it is called", artifact.kind);
    }
  }

  /// Is all of it here, believed as well as now, and nothing else by its names (what a killed --replace leaves)?
  bool is_present(const Catalog& catalog) const {
    std::multimap<std::string, Artifact> here;
    for (auto& artifact : catalog.artifacts()) here.emplace(artifact.id(), artifact);
    return std::all_of(m_artifacts.begin(), m_artifacts.end(), [&](const Artifact& artifact) {
      bool found = false;
      const auto [from, to] = here.equal_range(artifact.id());
      for (auto other = from; other != to; ++other) {
        if (!same_content(artifact, other->second)) return false;
        const auto by = imported_by(other->second);
        found = found || !by || *by >= imported_by(artifact).value_or(Belief::nobody);
      }
      return found;
    });
  }

  void judge_conflicts(const Catalog& catalog) {
    for (const auto& here : catalog.artifacts()) {
      // Sorted by id.
      const auto id = here.id();
      const auto same =
          std::lower_bound(m_artifacts.begin(), m_artifacts.end(), id,
                           [](const auto& artifact, const auto& wanted) { return artifact.id() < wanted; });
      if (same == m_artifacts.end() || same->id() != id) continue;
      const auto by = imported_by(here);
      const auto ours = imported_by(*same).value_or(Belief::nobody);
      const bool identical = same_content(*same, here);
      if (!identical && !m_request.replace) {
        throw Error(ErrorCode::immutable, fmt::format("{} is here with other content", printable(here.id())),
                    "give --replace: what is here stays in use until the new one was checked");
      }
      if (!identical && ours < by.value_or(Belief::signature)) {
        throw Error(ErrorCode::immutable,
                    fmt::format("{} came {}, and for this one {}", printable(here.id()),
                                by ? fmt::format("by an import believed by {}", name(*by)) : "in a signed bundle",
                                ours == Belief::nobody ? "nobody vouches" : "only a digest was announced"),
                    "take the old one out of use first (`liftlock model rm`, `liftlock retire`), or bring a signature");
      }
      // What a bundle brought stays what it is: the newer publication is found first.
      if (by && (!identical || *by < ours)) m_replaced.push_back(here);
    }
    for (const auto& artifact : m_replaced) m_result.replaced.push_back(artifact.id());
  }

  void pin(const StagedBlobs& staged, Catalog& catalog) const {
    std::set<Digest> digests;
    for (const auto& artifact : m_artifacts) {
      for (const auto& file : artifact.files) digests.insert(file.digest);
    }
    catalog.pin(batch(), {digests.begin(), digests.end()});
    for (const auto& digest : digests) {
      if (!staged.has(digest))
        fail(ErrorCode::busy, "{} was removed from the store meanwhile; run the same command again", digest.text());
    }
  }

  void look_for_malware(StagedBlobs& staged) {
    const auto& config = m_site.config().scan;
    if (!config) return;
    std::map<Digest, ScanItem> items;
    for (const auto& artifact : m_artifacts) {
      for (const auto& file : artifact.files) {
        auto& item = items.try_emplace(file.digest, ScanItem{file.path, file.size, file.digest, {}}).first->second;
        item.kinds.push_back(artifact.kind);
      }
    }
    std::vector<ScanItem> list;
    for (auto& [digest, item] : items) list.push_back(std::move(item));
    m_scan = scan(
        *config, list, m_site.store_folder() / "scan",
        [&](int folder, const std::string& name, const Digest& digest) { staged.link_to(folder, name, digest); },
        m_reporter);
    note(fmt::format("scanned {}, {}{}{}", counted(m_scan->files, "file"), format_size(m_scan->bytes),
                     m_scan->scanner.empty() ? "" : " with ", m_scan->scanner));
    require_clean(*config, *m_scan);
  }

  std::uint64_t next_number(const AuditLog& log, const Catalog& catalog) const {
    auto last = last_import(log);
    for (const auto& one : catalog.publications()) {
      if (one.channel == k_import_channel) last = std::max(last, one.sequence);
    }
    for (const auto& one : catalog.retired()) {
      if (one.channel == k_import_channel) last = std::max(last, one.sequence);
    }
    return last + 1;
  }

  void publish(Staging& files, StagedBlobs& staged, Catalog& catalog) {
    AuditLog log(m_site.audit_folder(), "");
    const auto when = now();
    const ImportRecord record{.shape = m_found.shape,
                              .source = source_name(),
                              .belief = m_result.unbound.empty() ? m_result.belief : Belief::nobody,
                              .document = m_result.document,
                              .keys = m_result.keys,
                              .reason = m_request.reason,
                              .actor = m_request.actor,
                              .imported_at = when,
                              .artifacts = m_result.artifacts,
                              .content = import_content(m_artifacts),
                              .replaced = m_result.replaced};
    const auto text = encode_import_record(record);
    const auto digest = sha256(text);
    m_digest_text = digest.hex();
    auto front = keep_documents(files);
    front.push_back(document_file("manifest/bundle.json", text, files));
    std::sort(front.begin(), front.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    std::vector<Digest> front_digests;
    for (const auto& file : front) front_digests.push_back(file.digest);
    catalog.pin(batch(), front_digests);

    m_result.number = next_number(log, catalog);
    Json detail = {{"import", digest.text()},
                   {"source", printable(source_name())},
                   {"shape", m_found.shape},
                   {"believed_by", name(record.belief)},
                   {"artifacts", m_result.artifacts.size()},
                   {"content", record.content.text()}};
    if (!m_result.keys.empty()) detail["keys"] = m_result.keys;
    if (record.belief == Belief::nobody) {
      detail["remark"] = "unsigned import: " + m_request.reason;  // the auditor's report shows these first
    } else if (!m_request.reason.empty()) {
      detail["reason"] = m_request.reason;
    }
    if (m_scan) detail["scan"] = scan_detail(*m_scan);
    AuditEvent event{.type = std::string(k_import_event),
                     .actor = m_request.actor,
                     .outcome = Outcome::intent,
                     .subject = fmt::format("{}/{}", k_import_channel, m_result.number),
                     .detail = dump_json_line(detail)};
    log.append(event);
    m_ended = true;
    staged.commit();
    catalog.publish({.channel = std::string(k_import_channel),
                     .sequence = m_result.number,
                     .bundle_digest = digest,
                     .bundle_json = text,
                     .published_at = when,
                     .artifacts = m_artifacts,
                     .other_files = std::move(front),
                     .facts = std::move(m_facts)});
    catalog.unpin(batch());
    event.outcome = Outcome::success;
    log.append(event);
    for (const auto& artifact : m_replaced) {
      logged_effect(log,
                    {.type = "artifact.withdraw",
                     .actor = m_request.actor,
                     .outcome = Outcome::intent,
                     .subject = artifact.id(),
                     .detail = dump_json_line({{"why", "replaced"}, {"import", digest.text()}})},
                    [&] { catalog.withdraw(artifact); });
    }
    m_result.status = ImportResult::Status::imported;
  }

  ArtifactFile document_file(const std::string& path, const std::string& text, Staging& files) const {
    return {
        .path = RelPath::parse(path), .size = text.size(), .digest = files.keep(text), .origin = {}, .evidence = {}};
  }

  std::vector<ArtifactFile> keep_documents(Staging& files) const {
    std::vector<ArtifactFile> out;
    std::set<std::string> seen;
    for (const auto* list : {&m_found.kept, &m_kept}) {
      for (const auto& [name, bytes] : *list) {
        if (seen.insert(name).second) out.push_back(document_file("import/" + name, bytes, files));
      }
    }
    return out;
  }

  const Site& m_site;
  const ImportRequest& m_request;
  Reporter& m_reporter;
  std::shared_ptr<const UniqueFd> m_file;  ///< a copy of the source, where that is believed as a whole
  std::shared_ptr<const Tree> m_tree;
  Found m_found;
  Voucher m_whole;        ///< for the file, and so for all that it holds
  Voucher m_inner;        ///< for what Found::document binds
  std::string m_missing;  ///< what could have vouched, where nobody does
  /// The document and its signatures, for the catalog.
  std::vector<std::pair<std::string, std::string>> m_kept;
  std::vector<JudgedSignature> m_judged;
  std::vector<Artifact> m_artifacts;
  std::vector<Artifact> m_replaced;
  std::vector<std::string> m_facts;
  std::optional<ScanReport> m_scan;
  ImportResult m_result;
  std::string m_digest_text = "none";
  bool m_ended = false;
};

void record_failure(const Site& site, const ImportRequest& request, const Error& error, const Import& run) {
  const auto source = request.source.filename().string();
  Json detail = {{"code", info(error.code()).slug},
                 {"message", printable(error.what())},
                 {"source", printable(request.source.string())}};
  if (run.scan_report()) detail["scan"] = scan_detail(*run.scan_report());
  AuditLog(site.audit_folder(), "")
      .append({.type = std::string(k_import_event),
               .actor = request.actor,
               .outcome = Outcome::failure,
               .subject = printable(source),
               .detail = dump_json_line(detail)});
  write_transfer_line(site, request.actor, "IMPORT_REFUSED", source, run.digest_text(),
                      fmt::format(" error={}", info(error.code()).slug));
}

}  // namespace

ImportResult import_from(const Site& site, const ImportRequest& request, Reporter& reporter) {
  const FileLock lock(site.folder() / "ingest.lock", "an ingest", FileLock::Wait::no);
  Import run(site, request, reporter);
  if (request.plan) return run.run();
  ImportResult result;
  const auto record = [&](Error& error) {
    try {
      record_failure(site, request, error, run);
    } catch (const std::exception& second) {
      error.add_context(fmt::format("and the failure could not be recorded: {}", second.what()));
    }
  };
  try {
    const Meetings meetings(site);
    if (!meetings.witnesses().empty()) meetings.require_met(AuditLog(site.audit_folder(), ""));
    result = run.run();
  } catch (Error& error) {
    record(error);
    throw;
  } catch (const std::exception& other) {
    Error error(ErrorCode::io_error, other.what());
    record(error);
    throw error;
  }
  if (result.status == ImportResult::Status::imported) {
    write_transfer_line(site, request.actor, "IMPORT", fmt::format("{}_{}", k_import_channel, result.number),
                        run.digest_text(), "");
  }
  return result;
}

}  // namespace liftlock
