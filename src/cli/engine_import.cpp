#include "cli/engine_import.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/accepted_kinds.hpp"
#include "bundle/import_record.hpp"
#include "bundle/trust_mark.hpp"
#include "cli/engine_view.hpp"
#include "cli/inspection.hpp"
#include "engine/import.hpp"
#include "engine/package_reader.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

constexpr std::chrono::seconds k_look_every{2};

AuditEvent import_event(const std::string& actor, const fs::path& file, const Json& detail) {
  return {.type = "engine.import",
          .actor = actor,
          .outcome = Outcome::intent,
          .subject = file.filename().string(),
          .detail = dump_json_line(detail)};
}

ImportCells cells_of(const Site& site) {
  make_folders(site.engines_folder());
  return make_import_cells(site.engines_folder(), site.config().reserve_bytes);
}

/// For the file as a whole; false when nobody says anything of it.
bool believe_whole(const Site& site, const EngineFileRequest& request, const Digest& digest,
                   engine::EngineFacts& facts) {
  if (request.expected) {
    engine::require_announced(digest, *request.expected, request.file);
    facts.believed_by = name(Belief::digest);
    return true;
  }
  if (engine::import_signatures(request.file).empty()) return false;
  facts.keys = engine::require_signed_list(digest, request.file, trust_of(site).current(), now());
  facts.believed_by = name(Belief::signature);
  return true;
}

/// For its manifest.json, which lists a digest of every file. @return why nobody is believed; empty when somebody is
std::string believe_manifest(const Site& site, const Baiengine& package, engine::EngineFacts& facts) {
  if (package.signatures.empty()) return "it carries no signature, and no digest was announced";
  if (!package.is_bound()) return "manifest.json is signed, and lists no checksums";
  const auto trust = trust_of(site);
  if (trust.empty()) return "manifest.json is signed, and no trust root is pinned here to judge that by";
  const auto root = trust.current();
  const auto judged = judge(package.manifest_text, package.signatures, root, now(), {Role::builder, Role::approver});
  // A signature by somebody unknown, or by a key that retired, is as good as none; a false one, or one by a revoked
  // key, ends the import.
  if (std::all_of(judged.begin(), judged.end(), [](const auto& one) { return is_unlisted(one.status); }))
    return "manifest.json is signed by a key that the trust root does not list";
  require_thresholds(judged, root, {Role::builder});
  for (const auto& one : judged) {
    if (one.status == SignatureStatus::valid) facts.keys.push_back(one.key_id);
  }
  facts.believed_by = name(Belief::signature);
  return {};
}

/// The site's own rule for what nobody vouches for (docs/formats/import.md).
void believe_nobody(const Site& site, const EngineFileRequest& request, const std::string& why,
                    engine::EngineFacts& facts) {
  if (!site.config().unsigned_imports) {
    throw Error(ErrorCode::unsigned_document,
                fmt::format("nobody vouches for '{}': {}", printable(request.file.string()), why),
                "give --expect SHA256 as it was announced by another way, or bring FILE.sha256 and its signature; "
                "unsigned imports need unsigned_imports = true in [policy] of config.toml, and --reason");
  }
  if (trim(request.reason).empty()) fail(ErrorCode::reason_required, "an unsigned import needs --reason");
  facts.believed_by = name(Belief::nobody);
  facts.reason = request.reason;
}

void describe(Json& detail, const engine::EngineFacts& facts) {
  detail["believed_by"] = facts.believed_by;
  if (!facts.keys.empty()) detail["keys"] = facts.keys;
  // The auditor's report shows these first.
  if (facts.believed_by == name(Belief::nobody)) detail["remark"] = "unsigned import: " + facts.reason;
  if (facts.base) detail["base"] = {{"engine", facts.base->engine}, {"package", facts.base->package}};
}

/// The engine package of a .baiengine; what is to be known of it goes into the facts.
UniqueFd stand_on_base(const Site& site, const Baiengine& package, std::uint64_t size, const std::string& base,
                       const ImportCells& cells, engine::EngineFacts& facts) {
  auto built = build_on_base(package, Digest::parse(facts.package), size, site.engines_folder(), base, cells);
  facts.base = built.base;
  facts.notes = package.manifest.warnings;
  facts.notes.insert(facts.notes.end(), built.notes.begin(), built.notes.end());
  return std::move(built.package);
}

void require_no_base(const EngineFileRequest& request) {
  if (!request.base.empty())
    fail(ErrorCode::usage, "--base is for a .baiengine; '{}' brings its own C library",
         printable(request.file.string()));
}

}  // namespace

bool is_baiengine(const fs::path& file) {
  return file.extension() == k_baiengine_ending;
}

engine::InstalledEngine import_engine(Invocation& invocation, const Site& site, const EngineFileRequest& request) {
  AuditLog log(site.audit_folder(), "");
  Json detail = {{"file", request.file.string()}};
  engine::EngineFacts facts;
  UniqueFd tar;
  try {
    require_trust_as_marked(site, log);  // what a revoked key signed is code, too
    require_accepted_kind(site.config().accept_kinds, "engine", request.file.filename().string());
    const auto cells = cells_of(site);
    auto copy = engine::copy_privately(request.file, site.engines_folder(), site.config().reserve_bytes);
    detail["package"] = copy.digest.text();
    facts.origin = fs::absolute(request.file).string();
    facts.package = copy.digest.text();
    const bool believed = believe_whole(site, request, copy.digest, facts);
    if (is_baiengine(request.file)) {
      const auto size = regular_size(copy.file.get(), request.file.string());
      const auto package = open_baiengine(std::make_shared<const UniqueFd>(std::move(copy.file)),
                                          request.file.filename().string(), cells);
      if (!believed) {
        if (const auto why = believe_manifest(site, package, facts); !why.empty())
          believe_nobody(site, request, why, facts);
      }
      tar = stand_on_base(site, package, size, request.base, cells, facts);
    } else {
      require_no_base(request);
      if (!believed)
        believe_nobody(site, request, "no digest is expected, and no signed FILE.sha256 lies beside it", facts);
      tar = std::move(copy.file);
      (void)engine::EngineReader(tar.get());
    }
    describe(detail, facts);
  } catch (const Error& error) {
    detail["error"] = info(error.code()).slug;
    auto event = import_event(invocation.actor(), request.file, detail);
    event.outcome = Outcome::failure;
    log.append(event);
    throw;
  }
  return engine::install_engine(log, import_event(invocation.actor(), request.file, detail), tar.get(),
                                site.engines_folder(), std::move(facts), engine::probe_machine(), request.unsuited);
}

engine::InstalledEngine install_stored_baiengine(Invocation& invocation, const Site& site, const Artifact& artifact,
                                                 UniqueFd file, const EngineFileRequest& request) {
  const auto cells = cells_of(site);
  const auto& stored = artifact.files.at(0);
  engine::EngineFacts facts;
  facts.origin = artifact.id();
  facts.package = stored.digest.text();
  facts.believed_by = "bundle";
  if (const auto belief = imported_by(artifact)) facts.believed_by = name(*belief);
  const auto package =
      open_baiengine(std::make_shared<const UniqueFd>(std::move(file)), std::string(stored.path.filename()), cells);
  const auto tar = stand_on_base(site, package, stored.size, request.base, cells, facts);
  Json detail = {{"package", facts.package}};
  describe(detail, facts);
  AuditLog log(site.audit_folder(), "");
  return engine::install_engine(log,
                                {.type = "engine.install",
                                 .actor = invocation.actor(),
                                 .outcome = Outcome::intent,
                                 .subject = artifact.id(),
                                 .detail = dump_json_line(detail)},
                                tar.get(), site.engines_folder(), std::move(facts), engine::probe_machine(),
                                request.unsuited);
}

Json describe_baiengine(const Site& site, const EngineFileRequest& request) {
  const auto cells = cells_of(site);
  auto file = std::make_shared<const UniqueFd>(open_file(request.file, O_RDONLY | O_NONBLOCK));
  const auto package = open_baiengine(std::move(file), request.file.filename().string(), cells);
  const auto& manifest = package.manifest;
  Json out = {{"name", manifest.name},
              {"version", manifest.version},
              {"variant", manifest.variant},
              {"architecture", manifest.architecture},
              {"programs", package.own.programs},
              {"bound", package.is_bound()},
              {"signatures", package.signatures.size()},
              {"notes", manifest.warnings},
              {"base", nullptr}};
  if (package.own.is_static()) return out;
  const auto [base, fit] =
      engine::choose_base(package.own, manifest.architecture, site.engines_folder(), request.base, cells.elf);
  out["base"] = full_name(base);
  for (const auto& note : fit.notes) out["notes"].push_back(note);
  return out;
}

std::string engine_label(const engine::EngineFacts& facts) {
  if (facts.believed_by != name(Belief::nobody)) return {};
  return facts.reason.empty() ? std::string("UNSIGNED IMPORT: nobody vouches for this engine")
                              : fmt::format("UNSIGNED IMPORT: nobody vouches for this engine; the reason given: {}",
                                            printable(facts.reason));
}

std::string base_text(const engine::EngineFacts& facts) {
  std::string out;
  if (facts.base) out += fmt::format("its C library is that of {}\n", printable(facts.base->engine));
  for (const auto& note : facts.notes) out += fmt::format("note: {}\n", printable(note));
  return out;
}

IncomingEngines::IncomingEngines(Invocation& invocation, const Site& site, fs::path folder)
    : m_invocation(invocation), m_site(site), m_folder(std::move(folder)) {
  m_thread = std::jthread([this](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      look();
      wake.wait_for(lock, stop, k_look_every, [] { return false; });
    }
  });
}

void IncomingEngines::look() {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(m_folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with('.') || entry.symlink_status().type() != fs::file_type::regular) continue;
    if (name.ends_with(".tar") || is_baiengine(entry.path())) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  for (const auto& file : found) {
    try {
      // A package whose signature is still to come waits for it.
      if (is_signed(file)) take(file);
    } catch (const std::exception& error) {
      m_invocation.reporter().note(fmt::format("'{}' cannot be taken: {}", printable(file.string()), error.what()));
    }
  }
}

/// A .baiengine is looked into once, not every two seconds.
bool IncomingEngines::is_signed(const fs::path& file) {
  if (!engine::import_signatures(file).empty()) return true;
  if (!is_baiengine(file)) return false;
  const auto time = fs::last_write_time(file);
  if (const auto known = m_unsigned.find(file); known != m_unsigned.end() && known->second == time) return false;
  bool carries = false;
  try {
    auto fd = std::make_shared<const UniqueFd>(open_file(file, O_RDONLY | O_NONBLOCK));
    carries = !open_baiengine(std::move(fd), file.filename().string(), cells_of(m_site)).signatures.empty();
  } catch (const Error& error) {
    // Whoever vouches for it beside it will be told what is wrong with it; a full disk is not wrong with it.
    constexpr std::array k_passing = {ErrorCode::io_error, ErrorCode::disk_full, ErrorCode::sandbox_unavailable,
                                      ErrorCode::tool_missing};
    if (std::find(k_passing.begin(), k_passing.end(), error.code()) != k_passing.end()) throw;
  }
  if (!carries) m_unsigned[file] = time;
  return carries;
}

void IncomingEngines::take(const fs::path& file) {
  std::string reason;
  try {
    const auto one = import_engine(m_invocation, m_site, {.file = file});
    (void)make_default(m_invocation, m_site, one, Replace::no);
    m_invocation.reporter().note(
        fmt::format("installed the engine {} of '{}'", printable(full_name(one)), printable(file.string())));
  } catch (const Error& error) {
    reason = fmt::format("{}: {}\n{}\n", info(error.code()).slug, error.message(), error.hint());
    m_invocation.reporter().note(fmt::format("refused the engine '{}': {}", printable(file.string()), error.message()));
  }
  const auto place = m_folder / (reason.empty() ? "installed" : "refused");
  make_folders(place);
  const auto name = file.filename().string();
  std::vector<fs::path> together;
  for (const auto& entry : fs::directory_iterator(m_folder)) {
    const auto other = entry.path().filename().string();
    if (other == name || other.starts_with(name + ".sha256")) together.push_back(entry.path());
  }
  for (const auto& one : together) rename_file(one, place / one.filename());
  if (!reason.empty()) write_file_atomically(place / (name + ".reason.txt"), reason);
}

}  // namespace liftlock
