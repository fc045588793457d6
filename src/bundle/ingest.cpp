#include "bundle/ingest.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/accepted_kinds.hpp"
#include "bundle/admission.hpp"
#include "bundle/channel.hpp"
#include "bundle/chat_templates.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/landing_plan.hpp"
#include "bundle/media_register.hpp"
#include "bundle/scan.hpp"
#include "bundle/signatures.hpp"
#include "bundle/source.hpp"
#include "bundle/stage_bundle.hpp"
#include "bundle/transfer_line.hpp"
#include "bundle/trust_mark.hpp"
#include "bundle/withheld.hpp"
#include "crypto/hash.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "store/content.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust_fork.hpp"
#include "witness/meetings.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_log_origin = "";

/// One run of the pipeline; the steps are called in order by ingest().
class Ingest {
 public:
  Ingest(const Site& site, const IngestRequest& request, Reporter& reporter)
      : m_site(site),
        m_request(request),
        m_reporter(reporter),
        m_log(site.audit_folder(), k_log_origin),
        m_bundle(request.remote != nullptr ? request.remote->front() : resolve_source(site.config(), request.source)) {
    make_folders(site.store_folder());
    if (request.remote == nullptr) m_medium = request.medium(m_bundle.folder());
    m_origin = origin();
    m_result.info = m_bundle.info();
    m_result.digest = m_bundle.digest();
  }

  IngestResult run() {
    m_admission = admit(m_site, m_request, m_bundle, m_log);
    m_result.signatures = m_admission.judged;
    for (const auto& one : m_admission.overrides) m_result.notes.push_back("override " + one);
    if (const auto& why = m_bundle.info().expedited; !why.empty()) note("expedited: " + printable(why));
    for (const auto& fork : channel_history(m_log, m_bundle.info().channel).forks) {
      note(fmt::format("refused {}: another {}/{}, {}: find out who made it", format_time(fork.when),
                       printable(m_bundle.info().channel), fork.sequence, printable(fork.bundle)));
    }
    note_medium();
    if (m_request.remote != nullptr) m_request.remote->bring_lists(m_bundle.info());
    m_bundle.load_lists();
    m_plan.emplace(m_bundle, m_admission.root, m_request.remote);
    for (const auto& text : m_plan->notes()) note(text);
    require_accepted_kinds(m_site.config().accept_kinds, m_plan->landing().artifacts);
    m_before = landed_before();  // also where an old copy of the audit log does not know of it
    if (m_admission.arrival == Arrival::repeated && m_before && left_to_land() == 0 &&
        m_plan->is_stored_in(BlobStore(m_site.store_folder())) && !m_request.restore_retired) {
      m_result.status = IngestResult::Status::already_present;
      return m_result;
    }
    require_scanner_version(m_site.config().scan);
    if (m_request.remote == nullptr) check_folder();
    BlobStore store(m_site.store_folder());
    Catalog catalog(m_site.catalog_file());
    check_left_out(store);
    check_space(store);
    say_what_was_left(store, batch(), m_reporter);
    StagedBlobs staged(store, batch());
    catalog.pin(batch(), digests_to_pin());
    check_left_out(store);  // what gc removed before the pins
    const StagingPlace place{.store = store, .staged = staged, .absent = m_absent};
    const auto counts = m_request.remote != nullptr
                            ? stage_remote(*m_request.remote, m_plan->content(), place, m_reporter)
                            : stage_content(m_bundle, m_plan->to_land(), place, m_reporter);
    m_result.files = counts.files;
    m_result.bytes = counts.bytes;
    m_result.new_blobs = counts.new_blobs;
    stage_front(place);
    inspect(staged, catalog);
    look_for_malware(staged);
    note_other_contents(catalog);
    for (auto& text : other_templates(catalog, m_plan->landing().artifacts, m_facts)) note(std::move(text));
    if (m_request.dry_run) {
      staged.discard();
      catalog.unpin(batch());
      m_result.status = IngestResult::Status::dry_run;
      return m_result;
    }
    publish(staged, catalog);
    return m_result;
  }

  /// Root statements prove themselves: a revocation does not wait for a bundle that is good. It is the announced one
  /// all the same, and what expired already would only stop others. A folder that lost statements heals by that, unless
  /// what is brought goes another way than the one that the log remembers. Empty when nothing was followed.
  std::string follow_trust_of_refused(Error& refusal) {
    const auto why = refusal.code();
    if (why == ErrorCode::expect_required || why == ErrorCode::expect_mismatch) return {};
    const auto statements = m_bundle.trust_statements();
    note_fork(m_site, statements, m_request.actor, refusal);
    if (m_request.dry_run) return {};
    TrustStore trust(m_site.trust_folder());
    const auto before = trust.current();
    const auto root = judge_chain(trust.pinned_chain(), statements, now());
    require_trust_as_logged(trust, m_log, statements);
    require_trust_as_marked(m_site, m_log, statements);
    const bool is_newer = root.version > before.version && !(root.expires && *root.expires <= now());
    if (is_newer) follow_trust(root, statements);
    std::string told;
    if (is_newer) {
      told = fmt::format("its root statement {} is followed all the same{}", root.version,
                         why == ErrorCode::trust_broken ? ", so run the same command again" : "");
    }
    try {
      mark_trust(m_site, m_log);  // also where an earlier run could not
    } catch (const std::exception& error) {
      told += fmt::format("{}the catalog could not be told which trust is the newest: {}", told.empty() ? "" : "; ",
                          error.what());
    }
    return told;
  }

  const BundleInfo& info() const { return m_bundle.info(); }
  const Digest& digest() const { return m_bundle.digest(); }
  const std::optional<ScanReport>& scan_report() const { return m_scan; }
  AuditLog& log() { return m_log; }

 private:
  /// Where it came from and what was known of it, for the log. While the medium is still there.
  Json origin() const {
    auto out = Json::object();
    if (m_request.remote != nullptr) {
      out["peer"] = m_request.source;
      return out;
    }
    out["source"] = printable(m_request.source);
    out["read_only"] = is_on_read_only_mount(m_bundle.folder());
    if (!m_medium.serial.empty() || !m_medium.model.empty())
      out["medium"] = {{"serial", m_medium.serial}, {"model", m_medium.model}};
    if (m_request.expect) out["expect"] = m_request.expect->text();
    return out;
  }

  /// A disk of this machine itself is no medium that comes and goes.
  void note_medium() {
    if (m_medium.serial.empty() || m_medium.serial == m_request.medium(m_site.store_folder()).serial) return;
    if (auto why = unregistered_medium(m_log, m_medium.serial); !why.empty()) note(std::move(why));
  }

  std::string batch() const {
    // The digest keeps what an earlier, refused bundle of this sequence staged apart from this one.
    return fmt::format("ingest-{}-{}-{}", m_bundle.info().channel.substr(0, 60), m_bundle.info().sequence,
                       m_bundle.digest().hex().substr(0, 16));
  }

  /// The id alone names what was published last: whoever used it gets other bytes from now on, unless this bundle was
  /// overtaken by the one that brought them.
  void note_other_contents(const Catalog& catalog) {
    for (const auto& artifact : m_plan->landing().artifacts) {
      const auto contents = catalog.contents(artifact.id());
      if (contents.empty() || content_digest(contents.front()) == content_digest(artifact)) continue;
      const auto& before = contents.front();
      const auto holders = catalog.holders(before);
      const auto brought_by = holders.empty() ? "an earlier bundle" : bundle_name(holders);
      if (catalog.stays_first(artifact.id(), m_bundle.info().channel, m_bundle.info().sequence)) {
        note(fmt::format("{} has another content, of {}, which is newer and stays; what comes now {} named by {}",
                         artifact.id(), brought_by, m_request.dry_run ? "would be" : "is", content_name(artifact)));
        continue;
      }
      note(fmt::format("{} {} another content, of {}; that {} named by {}", artifact.id(),
                       m_request.dry_run ? "has" : "had", brought_by, m_request.dry_run ? "would then be" : "is now",
                       content_name(before)));
    }
  }

  static std::string bundle_name(const std::vector<std::string>& holders) {
    const auto& last = holders.back();
    const auto import = fmt::format("{}/", k_import_channel);
    return last.starts_with(import) ? last : "bundle " + last;
  }

  /// The ids of what landed of this very bundle and is in use; nullopt when it is not published.
  std::optional<std::set<std::string>> landed_before() const {
    const Catalog catalog(m_site.catalog_file());
    const auto publication = catalog.publication(m_bundle.info().channel, m_bundle.info().sequence);
    if (!publication || publication->bundle_digest != m_bundle.digest()) return std::nullopt;
    std::set<std::string> ids;
    for (const auto& artifact : publication->artifacts) ids.insert(artifact.id());
    return ids;
  }

  /// Of what may land by now.
  std::size_t left_to_land() const {
    const auto& landing = m_plan->landing().artifacts;
    return static_cast<std::size_t>(std::count_if(landing.begin(), landing.end(), [&](const auto& artifact) {
      return !m_before || !m_before->contains(artifact.id());
    }));
  }

  /// Artifacts of the bundle that are not in use once this run is through: what landed before stays, whatever is
  /// withheld now.
  std::size_t still_withheld() const {
    return m_bundle.artifacts().size() - left_to_land() - (m_before ? m_before->size() : 0);
  }

  void note(std::string text) {
    constexpr std::size_t k_max_notes = 200;
    if (m_result.notes.size() < k_max_notes) m_result.notes.push_back(std::move(text));
  }

  /// A delta lands on what its sender counted on, or not at all.
  void check_left_out(const BlobStore& store) const {
    if (m_request.remote != nullptr) return;  // it comes as all else does
    const auto missing = missing_files(m_bundle, store);
    if (missing.empty()) return;
    throw Error(ErrorCode::base_missing,
                fmt::format("the bundle leaves out {} that this store lacks, the first is '{}'",
                            counted(missing.size(), "file"), missing[0].path.text()),
                fmt::format("`liftlock request {}` lists which; with --output FOLDER it writes what the low side packs "
                            "from: `liftlock pack --since FOLDER`",
                            printable(m_request.source)));
  }

  void check_folder() {
    const auto problems = m_bundle.survey();
    if (!problems.empty()) {
      fail(problems[0].code, "'{}': {}{}", problems[0].path, problems[0].message,
           problems.size() > 1 ? fmt::format(" (and {} more; `liftlock verify` lists them)", problems.size() - 1) : "");
    }
    // What lies beside the bundle on the medium is not ours, but people want to know.
    constexpr std::size_t k_named = 8;
    std::error_code ignored;
    std::vector<std::string> beside;
    const auto parent = fs::canonical(m_bundle.folder(), ignored).parent_path();
    for (const auto& entry : fs::directory_iterator(parent, ignored)) {
      if (entry.path().filename() != m_bundle.folder().filename()) beside.push_back(entry.path().filename().string());
    }
    if (beside.empty()) return;
    std::sort(beside.begin(), beside.end());
    const auto more = beside.size() > k_named ? fmt::format(", and {} more", beside.size() - k_named) : "";
    beside.resize(std::min(beside.size(), k_named));
    for (auto& name : beside) name = printable(name);
    m_result.notes.push_back(fmt::format("beside the bundle: {}{}", fmt::join(beside, ", "), more));
  }

  void check_space(const BlobStore& store) {
    std::uint64_t needed = m_site.config().reserve_bytes;
    for (const auto& file : m_plan->content()) {
      if (!store.contains(file.digest) && m_absent.insert(file.digest).second) needed += file.size;
    }
    const auto available = free_space(m_site.store_folder());
    if (available < needed) {
      fail(ErrorCode::disk_full, "the ingest needs {} of room ({} of it reserve) and {} is free", format_size(needed),
           format_size(m_site.config().reserve_bytes), format_size(available));
    }
  }

  std::vector<Digest> digests_to_pin() const {
    std::vector<Digest> digests;
    for (const auto& file : m_plan->content()) digests.push_back(file.digest);
    for (const auto& [path, bound] : m_bundle.info().lists) digests.push_back(bound.digest);
    for (const auto& signature : m_admission.signatures) digests.push_back(sha256(signature.bytes));
    if (m_plan->withheld()) {
      digests.push_back(sha256(m_plan->withheld()->text));
      for (const auto& signature : m_plan->withheld()->signatures) digests.push_back(sha256(signature.bytes));
    }
    digests.push_back(m_bundle.digest());
    return digests;
  }

  /// bundle.json, the lists and the signatures are kept, so that the bundle can be given back whole.
  void stage_front(const StagingPlace& place) {
    const auto add = [&](const std::string& path, const std::string& bytes) {
      m_front.push_back(stage_bytes(place, path, bytes));
    };
    add(std::string(k_bundle_json_path), m_bundle.bundle_json());
    for (const auto& [path, bound] : m_bundle.info().lists) add(path.text(), m_bundle.read_list(path));
    for (const auto& signature : m_admission.signatures) add("signatures/" + signature.name, signature.bytes);
    if (m_plan->withheld() && still_withheld() > 0) {
      add(std::string(k_withheld_path), m_plan->withheld()->text);
      for (const auto& signature : m_plan->withheld()->signatures)
        add(fmt::format("{}/signatures/{}", k_withheld_folder, signature.name), signature.bytes);
    }
    for (const auto& file : m_bundle.files()) {
      if (file.artifacts.empty())
        m_front.push_back({.path = file.path, .size = file.size, .digest = file.digest, .origin = {}, .evidence = {}});
    }
    std::sort(m_front.begin(), m_front.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  }

  void inspect(const StagedBlobs& staged, Catalog& catalog) {
    const auto open = [&](const Digest& digest) { return staged.open(digest); };
    m_facts = inspect_all(m_plan->landing().artifacts, m_request.inspect, open, catalog, m_reporter);
  }

  /// What the low side's scanner said does not count here: this is the site's own look, at what is about to land.
  void look_for_malware(const StagedBlobs& staged) {
    const auto& config = m_site.config().scan;
    if (!config) return;
    const auto items = [&] {
      std::vector<ScanItem> out;
      const auto add = [&](const FileEntry& file) {
        std::set<std::string> kinds;
        for (const auto& id : file.artifacts) kinds.insert(id.substr(0, id.find(':')));
        out.push_back({file.path, file.size, file.digest, {kinds.begin(), kinds.end()}});
      };
      // What a delta left out is published anew, and nobody knows what looked at it when it came.
      for (const auto& file : m_plan->content()) add(file);
      return out;
    }();
    m_scan = scan(
        *config, items, m_site.store_folder() / "scan",
        [&](int folder, const std::string& name, const Digest& digest) { staged.link_to(folder, name, digest); },
        m_reporter);
    note(fmt::format("scanned {}, {} with {}", counted(m_scan->files, "file"), format_size(m_scan->bytes),
                     m_scan->scanner));
    for (const auto& skipped : m_scan->not_scanned)
      note(fmt::format("not scanned: {}: {}", skipped.path, skipped.name));
    require_clean(*config, *m_scan);
  }

  Json remarks() const {
    auto out = Json::object();
    if (!m_admission.overrides.empty()) out["remark"] = fmt::format("{}", fmt::join(m_admission.overrides, "; "));
    if (const auto people = approvers_of(m_result.signatures); !people.empty()) out["approved_by"] = people;
    if (const auto withheld = still_withheld(); withheld > 0) out["withheld"] = withheld;
    if (m_scan) out["scan"] = scan_detail(*m_scan);
    out.update(m_origin);
    return out;
  }

  /// The root by which the bundle was judged becomes the one that is followed. It proves itself, and so comes before
  /// the intent of the ingest, which makes the bundle's sequence count as taken.
  void follow_trust(const TrustRoot& root, const std::vector<std::string>& statements) {
    TrustStore trust(m_site.trust_folder());
    const auto before = trust.current();
    if (before.version < root.version) {
      const Json detail = {{"from", before.version},
                           {"version", root.version},
                           {"fingerprint", root.fingerprint.text()},
                           {"bundle", m_bundle.digest().text()}};
      logged_effect(m_log,
                    {.type = "trust.update",
                     .actor = m_request.actor,
                     .outcome = Outcome::intent,
                     .subject = root.fingerprint.text(),
                     .detail = dump_json_line(detail)},
                    [&] { trust.follow(statements, now()); });
    }
    if (trust.current().fingerprint == root.fingerprint) return;
    throw Error(ErrorCode::busy, "the trust root changed while the bundle was checked against the one before",
                "run the same command again: the signatures are judged anew");
  }

  void publish(StagedBlobs& staged, Catalog& catalog) {
    follow_trust(m_admission.root, m_admission.statements);
    mark_trust(m_site, m_log);
    const auto& info = m_bundle.info();
    const auto subject = fmt::format("{}/{}", info.channel, info.sequence);
    const auto detail = ingest_detail(info, m_bundle.digest(), remarks());
    if (m_scan) {
      // A commit is one record of the journal, which has its limits.
      constexpr std::size_t k_batch = 256;
      const auto events = further_not_scanned(*m_scan, m_request.actor, subject);
      for (std::size_t at = 0; at < events.size(); at += k_batch) {
        const auto end = std::min(at + k_batch, events.size());
        m_log.append(std::vector<AuditEvent>(events.begin() + static_cast<std::ptrdiff_t>(at),
                                             events.begin() + static_cast<std::ptrdiff_t>(end)));
      }
    }
    m_log.append({.type = std::string(k_ingest_event),
                  .actor = m_request.actor,
                  .outcome = Outcome::intent,
                  .subject = subject,
                  .detail = detail});
    staged.commit();
    catalog.publish({.channel = info.channel,
                     .sequence = info.sequence,
                     .bundle_digest = m_bundle.digest(),
                     .bundle_json = m_bundle.bundle_json(),
                     .published_at = now(),
                     .artifacts = m_plan->landing().artifacts,
                     .other_files = m_front,
                     .facts = std::move(m_facts)},
                    m_request.restore_retired ? Catalog::Retired::restore : Catalog::Retired::refuse);
    catalog.unpin(batch());
    m_log.append({.type = std::string(k_ingest_event),
                  .actor = m_request.actor,
                  .outcome = Outcome::success,
                  .subject = subject,
                  .detail = detail});
  }

  const Site& m_site;
  const IngestRequest& m_request;
  Reporter& m_reporter;
  AuditLog m_log;
  BundleReader m_bundle;
  Medium m_medium;  ///< empty for a peer, and where the device says nothing
  Json m_origin;
  IngestResult m_result;
  Admission m_admission;
  std::optional<LandingPlan> m_plan;
  std::optional<std::set<std::string>> m_before;  ///< see landed_before()
  std::optional<ScanReport> m_scan;
  std::vector<std::string> m_facts;  ///< what inspection learnt of each artifact
  std::vector<ArtifactFile> m_front;
  std::unordered_set<Digest> m_absent;  ///< from the store, when its room was checked
};

void record_failure(const Site& site, const IngestRequest& request, const Error& error, const Ingest* run) {
  const auto* info = run != nullptr ? &run->info() : nullptr;
  const auto* digest = run != nullptr ? &run->digest() : nullptr;
  const auto subject =
      info != nullptr ? fmt::format("{}/{}", info->channel, info->sequence) : printable(request.source);
  Json detail = {{"code", liftlock::info(error.code()).slug},
                 {"message", printable(error.what())},
                 {"source", printable(request.source)}};
  if (digest != nullptr) detail["bundle"] = digest->text();
  if (run != nullptr && run->scan_report()) detail["scan"] = scan_detail(*run->scan_report());
  AuditLog(site.audit_folder(), k_log_origin)
      .append({.type = std::string(k_ingest_event),
               .actor = request.actor,
               .outcome = Outcome::failure,
               .subject = subject,
               .detail = dump_json_line(detail)});
  write_transfer_line(
      site, request.actor, "BUNDLE_REFUSED", "bundle_" + (info != nullptr ? info->bundle_version : "unknown"),
      digest != nullptr ? digest->hex() : "none", fmt::format(" error={}", liftlock::info(error.code()).slug));
}

/// What stands in the way of that was the reason of the refusal, or is another one: the first is what people need.
void follow_trust_of_refused(Ingest& run, Error& refusal) {
  try {
    if (const auto what = run.follow_trust_of_refused(refusal); !what.empty()) refusal.add_context(what);
  } catch (const std::exception&) {
  }
}

}  // namespace

std::vector<FileEntry> missing_files(const BundleReader& bundle, const BlobStore& store) {
  std::vector<FileEntry> missing;
  for (const auto& file : bundle.left_out()) {
    if (store.size(file.digest) != file.size) missing.push_back(file);
  }
  return missing;
}

std::vector<Digest> wanted_files(const BundleReader& bundle, const BlobStore& store) {
  std::set<Digest> wanted;
  for (const auto* list : {&bundle.files(), &bundle.left_out()}) {
    for (const auto& file : *list) {
      if (!file.artifacts.empty() && store.size(file.digest) != file.size) wanted.insert(file.digest);
    }
  }
  return {wanted.begin(), wanted.end()};
}

IngestResult ingest(const Site& site, const IngestRequest& request, Reporter& reporter) {
  const FileLock lock(site.folder() / "ingest.lock", "an ingest or import", FileLock::Wait::no);
  std::unique_ptr<Ingest> run;
  const auto record = [&](Error& error) {
    try {
      record_failure(site, request, error, run.get());
    } catch (const std::exception& second) {
      error.add_context(fmt::format("and the failure could not be recorded: {}", second.what()));
    }
  };
  IngestResult result;
  try {
    // Before a byte of the medium is read: this node may be one that was rolled back.
    const Meetings meetings(site);
    if (!meetings.witnesses().empty()) meetings.require_met(AuditLog(site.audit_folder(), k_log_origin));
    run = std::make_unique<Ingest>(site, request, reporter);
    result = run->run();
  } catch (Error& error) {
    record(error);
    if (run) follow_trust_of_refused(*run, error);
    throw;
  } catch (const std::exception& other) {
    Error error(ErrorCode::io_error, other.what());
    record(error);
    throw error;
  }
  if (result.status == IngestResult::Status::published) {
    write_transfer_line(site, request.actor, "BUNDLE_INGEST", "bundle_" + result.info.bundle_version,
                        result.digest.hex(), "");
  }
  return result;
}

}  // namespace liftlock
