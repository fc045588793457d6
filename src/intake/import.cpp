#include "intake/import.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "artifact/artifact_text.hpp"
#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/accepted_kinds.hpp"
#include "bundle/chat_templates.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/scan.hpp"
#include "bundle/stage_bundle.hpp"
#include "bundle/transfer_line.hpp"
#include "bundle/trust_mark.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/vendor_archive.hpp"
#include "intake/publishing.hpp"
#include "intake/staging.hpp"
#include "intake/vouching.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "witness/meetings.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_notes = 200;

[[noreturn]] void refuse_name(std::string_view name, std::string_view why) {
  throw Error(ErrorCode::usage, fmt::format("--name cannot be '{}': {}", printable(name), why),
              "use letters without accents, digits and . _ + ~ = @ -, and '/' in the name of an image: org/app");
}

/// A name is never quietly changed into another: two might become one.
void check_name(std::string_view name) {
  if (name.empty()) return;
  for (const auto& part : split(name, '/')) {
    if (part.empty() || part == "." || part == "..") refuse_name(name, "a part of it is empty or a step in a path");
    if (portable_component(part) != part) refuse_name(name, "it has characters that no path of a bundle has");
  }
}

/// One run of the pipeline; the steps are called in order by import_from().
class Import {
 public:
  Import(const Site& site, const ImportRequest& request, Reporter& reporter)
      : m_site(site), m_request(request), m_reporter(reporter), m_vouching(site, request) {}

  ImportResult run() {
    make_folders(m_site.store_folder());
    if (m_request.plan) {
      judge();
      return std::move(m_result);
    }
    require_scanner_version(m_site.config().scan);
    BlobStore store(m_site.store_folder());
    Catalog catalog(m_site.catalog_file());
    say_what_was_left(store, batch(), m_reporter);
    StagedBlobs staged(store, batch());
    Staging files(staged, m_result.notes, [this](const TreeBytes& range) { return m_vouching.staged_of_copy(range); });
    Publishing publishing(m_site, staged, files, catalog, batch());
    try {
      m_vouching.judge_whole(staged, m_reporter);
      judge();
      m_vouching.require_allowed();
      files.require_room_for(m_found, store, m_site.config().reserve_bytes);
      take_in(store, staged, files, catalog, publishing);
    } catch (...) {
      if (const auto& digest = publishing.digest() ? publishing.digest() : m_vouching.digest_of_copy())
        m_digest_text = digest->hex();
      if (!publishing.began()) {
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

  void note(std::string text) {
    if (m_result.notes.size() < k_max_notes) m_result.notes.push_back(std::move(text));
  }

  /// What lies in it, and who vouches for that.
  void judge() {
    if (const auto& digest = m_vouching.digest_of_copy()) m_digest_text = digest->hex();
    look();
    m_vouching.judge_found(m_found, *m_tree);
    for (const auto& text : m_vouching.notes()) note(text);
    const auto& best = m_vouching.best();
    m_result.belief = best.belief;
    m_result.keys = best.keys;
    m_result.document = best.document;
  }

  void look() {
    m_tree = open_import(m_request.source, m_vouching.copy(), m_request.cells);
    m_found = recognise(m_tree, m_request.cells);
    if (!m_request.shapes.empty() && !m_request.shapes.contains(m_found.shape)) {
      throw Error(ErrorCode::import_unknown,
                  fmt::format("'{}' is {}", printable(source_name(m_request)), m_found.words),
                  "`liftlock import` takes it in");
    }
    m_result.shape = m_found.shape;
    m_result.words = m_found.words;
    m_result.preview = m_found.preview;
    for (const auto* files : {&m_found.files, &m_found.packed}) {
      m_result.files += files->size();
      for (const auto& one : *files) m_result.bytes += one.tree->size(one.path);
    }
    if (!m_found.with_hidden) {
      for (const auto& left : m_tree->left_out()) note(left);
    }
    for (const auto& text : m_found.notes) note(text);
    if (m_request.plan) {
      for (auto& text : doubts_about(m_found)) note(std::move(text));
    }
  }

  void take_in(BlobStore& store, StagedBlobs& staged, Staging& files, Catalog& catalog, Publishing& publishing) {
    files.take(m_found, store, m_reporter);
    m_artifacts = m_found.make(files);
    finish_artifacts();
    require_accepted_kinds(m_site.config().accept_kinds, m_artifacts);
    if (const auto here = present_as(catalog, m_artifacts)) {
      staged.discard();
      catalog.unpin(batch());
      m_result.status = ImportResult::Status::already_present;
      m_result.present_as = here;
      return;
    }
    const auto replaced = replaced_by(catalog, m_artifacts, m_request);
    for (const auto& artifact : replaced) m_result.replaced.push_back(artifact.id());
    pin(staged, catalog);
    const auto open = [&](const Digest& digest) { return staged.open(digest); };
    auto facts = inspect_all(m_artifacts, m_request.inspect, open, catalog, m_reporter);
    for (auto& text : other_templates(catalog, m_artifacts, facts)) note(std::move(text));
    look_for_malware(staged);

    auto documents = m_found.kept;
    documents.insert(documents.end(), m_vouching.kept().begin(), m_vouching.kept().end());
    m_result.number = publishing.publish({.record = record(),
                                          .artifacts = m_artifacts,
                                          .facts = std::move(facts),
                                          .replaced = replaced,
                                          .documents = std::move(documents),
                                          .scan = m_scan});
    m_digest_text = publishing.digest()->hex();
    m_result.status = ImportResult::Status::imported;
  }

  void finish_artifacts() {
    if (m_artifacts.empty())
      fail(ErrorCode::import_unknown, "'{}' holds nothing to take in", printable(source_name(m_request)));
    // Before anything is renamed: what a document binds, it binds by the name that it knows.
    std::vector<const Voucher*> vouchers;
    for (const auto& artifact : m_artifacts) vouchers.push_back(&m_vouching.of(artifact, m_found));
    rename_artifact();
    std::set<std::string> ids, paths;
    auto weakest = Belief::signature;
    for (std::size_t i = 0; i < m_artifacts.size(); ++i) {
      auto& artifact = m_artifacts[i];
      const auto& voucher = *vouchers[i];
      weakest = std::min(weakest, voucher.belief);
      if (voucher.belief == Belief::nobody && m_result.belief != Belief::nobody) {
        m_vouching.require_unsigned(fmt::format("{} says nothing of {}", m_result.document, printable(artifact.id())));
        m_result.unbound.push_back(artifact.id());
      }
      const ImportEvidence evidence{.belief = voucher.belief,
                                    .source = source_name(m_request),
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
      fail(ErrorCode::usage, "--name is for one artifact, and '{}' holds {}", printable(source_name(m_request)),
           m_artifacts.size());
    auto& artifact = m_artifacts.front();
    if (artifact.kind == "model" || artifact.kind == "dataset") {
      const auto& name = m_request.name;
      if (name.find('/') != std::string::npos)
        refuse_name(name, fmt::format("a {} has no '/' in its name here", artifact.kind));
      const auto before = artifact.kind + "s/" + artifact.name + "/", after = artifact.kind + "s/" + name + "/";
      for (auto& file : artifact.files) file.path = RelPath::parse(after + file.path.text().substr(before.size()));
      artifact.name = name;
    } else if (artifact.kind == "image") {
      artifact.name = m_request.name;
    } else if (artifact.kind == "cargo-vendor") {
      const auto& name = m_request.name;
      if (name.find('/') != std::string::npos) refuse_name(name, "a vendored tree has no '/' in its name here");
      artifact.name = name;
      artifact.files.front().path = RelPath::parse(cargo::vendor_path(name));
    } else {
      fail(ErrorCode::usage,
           "--name is for a model, a data set, an image or a vendored tree; a {} says itself what it is called",
           artifact.kind);
    }
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
    m_result.scanned =
        fmt::format("{}, {} with {}", counted(m_scan->files, "file"), format_size(m_scan->bytes), m_scan->scanner);
    for (const auto& skipped : m_scan->not_scanned)
      note(fmt::format("not scanned: {}: {}", skipped.path, skipped.name));
    require_clean(*config, *m_scan);
  }

  ImportRecord record() const {
    std::vector<Digest> digests;
    for (const auto& artifact : m_artifacts) digests.push_back(sha256(artifact_line(artifact)));
    return {.shape = m_found.shape,
            .source = source_name(m_request),
            .belief = m_result.unbound.empty() ? m_result.belief : Belief::nobody,
            .document = m_result.document,
            .keys = m_result.keys,
            .reason = m_request.reason,
            .actor = m_request.actor,
            .imported_at = now(),
            .artifacts = m_result.artifacts,
            .content = import_content(m_artifacts),
            .replaced = m_result.replaced,
            .digests = std::move(digests)};
  }

  const Site& m_site;
  const ImportRequest& m_request;
  Reporter& m_reporter;
  Vouching m_vouching;
  std::shared_ptr<const Tree> m_tree;
  Found m_found;
  std::vector<Artifact> m_artifacts;
  std::optional<ScanReport> m_scan;
  ImportResult m_result;
  std::string m_digest_text = "none";
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
  check_name(request.name);
  const FileLock lock(site.folder() / "ingest.lock", "an ingest or import", FileLock::Wait::no);
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
    const AuditLog log(site.audit_folder(), "");
    if (!meetings.witnesses().empty()) meetings.require_met(log);
    require_trust_as_marked(site, log);
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
