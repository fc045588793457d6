#include "cli/model_chain.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/channel.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/import_record.hpp"
#include "bundle/standing.hpp"
#include "cli/bundle_view.hpp"
#include "cli/cmd_media.hpp"
#include "cli/engine_import.hpp"
#include "crypto/hash.hpp"
#include "engine/countersignature.hpp"
#include "engine/last_load.hpp"
#include "engine/load_gate.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

class Chain {
 public:
  Chain(const Site& site, const std::string& name, ChainDepth depth, Reporter& reporter)
      : m_site(site),
        m_depth(depth),
        m_reporter(reporter),
        m_store(site.store_folder()),
        m_catalog(site.catalog_file(), Access::read),
        m_model(engine::require_model(m_catalog, engine::Choices(site.aliases_file()), name)),
        m_publication(publication_of(m_catalog, m_model)) {}

  ModelChain run() {
    ModelChain chain{.id = m_model.id(), .steps = {}};
    const std::pair<std::string, void (Chain::*)(ChainStep&)> steps[] = {
        {"registry", &Chain::registry}, {"bundle", &Chain::bundle}, {"medium", &Chain::medium},
        {"ingest", &Chain::ingest},     {"node", &Chain::node},     {"load", &Chain::load}};
    for (const auto& [step_name, check] : steps) {
      ChainStep step{.name = step_name, .status = StepStatus::good, .words = {}, .evidence = Json::object()};
      try {
        (this->*check)(step);
      } catch (const Error& error) {
        step.status = StepStatus::refuted;
        step.words.push_back(error.what());
        step.evidence["error"] = info(error.code()).slug;
      }
      chain.steps.push_back(std::move(step));
    }
    return chain;
  }

 private:
  const Publication& publication() const {
    if (!m_publication) fail(ErrorCode::not_found, "no bundle brought '{}' here", printable(m_model.id()));
    return *m_publication;
  }
  std::string subject() const { return fmt::format("{}/{}", publication().channel, publication().sequence); }

  void registry(ChainStep& step) {
    for (const auto& file : m_model.files) {
      std::vector<std::string> types;
      auto evidence = Json::array();
      bool is_vouched_for = false;
      for (const auto& one : file.evidence) {
        types.push_back(printable(one.type));
        evidence.push_back({{"type", one.type}, {"details", one.details}});
        is_vouched_for = is_vouched_for || one.type != "first-use";
      }
      step.words.push_back(fmt::format("{} from {}: {}", file.path.filename(),
                                       file.origin.empty() ? "an origin that is not stated" : printable(file.origin),
                                       types.empty()    ? "no evidence on record"
                                       : is_vouched_for ? fmt::format("{}", fmt::join(types, ", "))
                                                        : "first-use, nothing else vouches for it"));
      // The worst of its files is told.
      if (types.empty()) {
        step.status = StepStatus::absent;
      } else if (!is_vouched_for) {
        step.status = std::max(step.status, StepStatus::unproven);
      }
      step.evidence["files"].push_back({{"path", file.path.text()},
                                        {"origin", file.origin},
                                        {"sha256", file.digest.hex()},
                                        {"evidence", std::move(evidence)}});
    }
    if (m_depth == ChainDepth::replay)
      step.words.push_back("recorded on the low side; the bundle's signatures cover it");
  }

  /// An import has no bundle: its record stands in the place, with what vouched for it.
  void import_record(ChainStep& step) {
    const auto record = parse_import_record(publication().bundle_json);
    step.evidence = {{"import", publication().bundle_digest.text()},
                     {"source", record.source},
                     {"believed_by", name(record.belief)},
                     {"keys", record.keys}};
    require_import(publication(), m_model, log(), trust_of(m_site, log()));
    const auto belief = imported_by(m_model).value_or(Belief::nobody);
    step.words.push_back(fmt::format("taken in from '{}' without a bundle", printable(record.source)));
    if (belief == Belief::nobody)
      return absent(step, fmt::format("UNSIGNED IMPORT: nobody vouches for these bytes; the reason given: {}",
                                      printable(record.reason)));
    step.words.push_back(belief == Belief::digest
                             ? fmt::format("believed for the announced digest of {}", printable(record.document))
                             : fmt::format("believed for the signatures over {} by {}", printable(record.document),
                                           fmt::join(record.keys, ", ")));
  }

  void bundle(ChainStep& step) {
    const auto& document = publication().bundle_json;
    if (sha256(document) != publication().bundle_digest)
      fail(ErrorCode::store_invalid, "the catalog's bundle.json of {} no longer has its digest", subject());
    if (publication().channel == k_import_channel) return import_record(step);
    const auto judged = judge_landed(publication(), m_store, trust_of(m_site, log()));
    step.evidence = {{"bundle", publication().bundle_digest.text()},
                     {"trust_root", judged.root.fingerprint.text()},
                     {"signatures", signatures_json(judged.signatures)}};
    require_landed(judged, publication(), log());
    for (const auto& one : judged.signatures) {
      step.words.push_back(
          fmt::format("{} by {} ({})", name(one.status), printable(one.owner), one.role ? name(*one.role) : "no role"));
      if (has_ended(one.status))
        step.words.push_back("that key signs nothing new; what it signed and landed stays in use");
    }
    require_listed(publication(), m_store, m_model);
    step.words.push_back("the signed lists name these very files");
  }

  void medium(ChainStep& step) {
    step.evidence = {{"bundle", publication().bundle_digest.text()}, {"subject", subject()}};
    if (publication().channel == k_import_channel) {
      step.words.push_back(fmt::format("{} came in by `liftlock import`", subject()));
      if (!ingest_entry()) absent(step, "the audit log does not know this import");
      return;
    }
    step.words.push_back(fmt::format("bundle {} crossed as {}", subject(), publication().bundle_digest.spoken()));
    const auto entry = ingest_entry();
    if (!entry) return absent(step, "the audit log does not know this bundle");
    const auto detail = parse_json(entry->event.detail);
    if (detail.value("bundle", "") != publication().bundle_digest.text())
      fail(ErrorCode::store_invalid, "the log says that {} was {}", subject(), printable(detail.value("bundle", "")));
    arrival(step, detail);
    registered_medium(step, entry->index);
  }

  /// As the ingest recorded it. Entries of before tell neither source nor announcement.
  static void arrival(ChainStep& step, const Json& detail) {
    for (const auto* member : {"peer", "source", "read_only", "expect"}) {
      if (detail.contains(member)) step.evidence[member] = detail[member];
    }
    if (detail.contains("peer"))
      return step.words.push_back(fmt::format("taken from the peer {}", printable(detail.value("peer", ""))));
    if (!detail.contains("source"))
      return step.words.push_back("source, and whether its digest was announced: not on record");
    step.words.push_back(fmt::format("from '{}', mounted {}", printable(detail.value("source", "")),
                                     detail.value("read_only", false) ? "read-only" : "writable"));
    step.words.push_back(detail.contains("expect") ? "its digest was announced by another way, and compared"
                                                   : "no announced digest was given");
  }

  /// The last time before the ingest that a medium with this bundle was registered.
  void registered_medium(ChainStep& step, std::uint64_t ingested) {
    std::optional<AuditEntry> found;
    log().for_each(0, ingested, [&](const AuditEntry& one) {
      if (one.event.type != k_media_in_event || one.event.outcome != Outcome::success) return true;
      for (const auto& bundle : parse_json(one.event.detail).value("bundles", Json::array())) {
        if (bundle.value("digest", "") == publication().bundle_digest.text()) found = one;
      }
      return true;
    });
    if (!found) return step.words.push_back("no medium with it was registered before its ingest");
    step.evidence["medium"] = {{"serial", found->event.subject}, {"entry", found->index}};
    step.words.push_back(fmt::format("on the medium {}, registered {} (entry {})", printable(found->event.subject),
                                     format_time(found->time), found->index));
  }

  void ingest(ChainStep& step) {
    const auto entry = ingest_entry();
    if (!entry) return absent(step, "the audit log has no entry of its ingest");
    step.words.push_back(fmt::format("entry {} of the audit log: {} by {}", entry->index, format_time(entry->time),
                                     printable(entry->event.actor)));
    step.evidence = {{"entry", entry->index}, {"time", format_time(entry->time)}, {"actor", entry->event.actor}};
    if (m_depth == ChainDepth::show) return;
    log().verify();
    step.evidence["proof"] = log().prove(entry->index);
    step.evidence["verifier_key"] = log().verifier_key();
    step.words.push_back(
        fmt::format("the log is whole: {}, every hash computed again", counted(log().size(), "entry", "entries")));
  }

  void node(ChainStep& step) {
    if (m_depth == ChainDepth::show) {
      for (const auto& file : m_model.files) {
        if (m_store.size(file.digest) != file.size)
          fail(ErrorCode::blob_corrupt, "'{}' is missing in the store, or has another size", file.path.text());
      }
      step.words.push_back(fmt::format("{} in the store, {}; `chain replay` hashes them",
                                       counted(m_model.files.size(), "file"), format_size(m_model.total_size())));
      return;
    }
    ProgressTask progress(m_reporter, "check the model", Unit::bytes, m_model.total_size());
    const auto checked = engine::check_model(m_store, m_model, [&](std::uint64_t done) { progress.advance(done); });
    step.evidence = {{"bytes", checked.bytes}, {"assurance", name(checked.assurance)}};
    step.words.push_back(fmt::format("{}, {}: every byte hashed just now; who could change them: {}",
                                     counted(checked.files.size(), "file"), format_size(checked.bytes),
                                     name(checked.assurance)));
  }

  void load(ChainStep& step) {
    countersignatures(step);
    const auto entry = engine::last_load(log(), m_model);
    if (!entry) return absent(step, "it was not loaded yet");
    const auto detail = parse_json(entry->event.detail);
    step.evidence.update({{"entry", entry->index}, {"time", format_time(entry->time)}, {"detail", detail}});
    step.words.push_back(fmt::format("last loaded {} as {} (entry {} of the audit log)", format_time(entry->time),
                                     printable(detail.value("digest", "")), entry->index));
    if (detail.contains("assurance"))
      step.words.push_back(fmt::format("who could change the bytes after they were hashed: {}",
                                       engine::assurance_in_words(detail.value("assurance", ""))));
    if (detail.value("check", "") == name(engine::Check::as_read))
      step.words.push_back(
          fmt::format("its bytes were hashed at an earlier load (entry {}); of this one the kernel checks "
                      "each page as it is read",
                      detail.value("since", Json(nullptr)).dump()));
    started_engine(step);
  }

  /// What the bytes were given to: the engine is a part of the chain, too.
  void started_engine(ChainStep& step) {
    const auto entry = engine::last_start(log(), m_model);
    if (!entry) return;
    const auto started = parse_json(entry->event.detail);
    const auto engine_name = started.value("engine", "");
    step.evidence["engine"] = {{"entry", entry->index}, {"name", engine_name}, {"files", started.value("files", "")}};
    step.words.push_back(fmt::format("last given to the engine {} (entry {})", printable(engine_name), entry->index));
    try {
      const auto one = engine::find_engine(m_site.engines_folder(), engine_name);
      step.evidence["engine"].update({{"package", one.facts.package}, {"believed_by", one.facts.believed_by}});
      if (const auto label = engine_label(one.facts); !label.empty()) step.words.push_back(label);
      if (m_depth == ChainDepth::replay) {
        (void)engine::EngineChecks().require(one, log(), true);
        step.words.push_back("whose files are those that were installed, every byte hashed just now");
      }
      if (const auto& base = one.facts.base) {
        step.evidence["engine"]["base"] = {{"engine", base->engine}, {"package", base->package}};
        step.words.push_back(
            fmt::format("whose C library is that of {} ({})", printable(base->engine), printable(base->package)));
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      step.words.push_back("which is no longer installed");
    }
  }

  /// By whom the organisation has signed the model itself. @throws Error where policy wants more
  void countersignatures(ChainStep& step) {
    std::set<Role> roles;
    for (const auto& role : m_site.config().countersigners) roles.insert(parse_role(role).value());
    const auto signatures = engine::CountersignatureStore(m_site.countersignatures_folder()).signatures(m_model);
    if (roles.empty() && signatures.empty()) return;
    const auto root = trust_of(m_site, log()).current();
    const std::set<Role> all = {Role::approver, Role::scanner};
    const auto judged = roles.empty() ? judge(engine::model_statement(m_model), signatures, root, now(), all)
                                      : engine::require_countersignatures(m_model, signatures, root, roles, now());
    step.evidence["countersignatures"] = signatures_json(judged);
    for (const auto& one : judged) {
      step.words.push_back(fmt::format("countersignature {} by {} ({})", name(one.status), printable(one.owner),
                                       one.role ? name(*one.role) : "no role"));
    }
  }

  static void absent(ChainStep& step, std::string why) {
    step.status = StepStatus::absent;
    step.words.push_back(std::move(why));
  }

  const AuditLog& log() {
    if (!m_log) m_log.emplace(AuditLog::open_to_read(m_site.audit_folder()));
    return *m_log;
  }
  std::optional<AuditEntry> ingest_entry() {
    const auto event = publication().channel == k_import_channel ? k_import_event : k_ingest_event;
    return log().find_last(event, subject(),
                           [](const AuditEntry& one) { return one.event.outcome == Outcome::success; });
  }

  const Site& m_site;
  const ChainDepth m_depth;
  Reporter& m_reporter;
  const BlobStore m_store;
  const Catalog m_catalog;
  const Artifact m_model;
  const std::optional<Publication> m_publication;
  std::optional<AuditLog> m_log;
};

}  // namespace

std::string_view name(StepStatus status) {
  switch (status) {
    case StepStatus::good:
      return "good";
    case StepStatus::unproven:
      return "unproven";
    case StepStatus::absent:
      return "absent";
    case StepStatus::refuted:
      return "refuted";
  }
  return "";
}

bool ModelChain::is_good() const {
  return std::all_of(steps.begin(), steps.end(), [](const auto& step) {
    return step.status == StepStatus::good || step.status == StepStatus::unproven ||
           (step.status == StepStatus::absent && step.name == "load");
  });
}

ModelChain model_chain(const Site& site, const std::string& name, ChainDepth depth, Reporter& reporter) {
  return Chain(site, name, depth, reporter).run();
}

}  // namespace liftlock
