#include "cli/engine_import.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/engine_view.hpp"
#include "engine/import.hpp"
#include "engine/package_reader.hpp"

namespace liftlock {
namespace {

constexpr std::chrono::seconds k_look_every{2};
constexpr std::string_view k_foreign = ".baiengine";

AuditEvent import_event(const std::string& actor, const fs::path& file, Json detail) {
  return {.type = "engine.import",
          .actor = actor,
          .outcome = Outcome::intent,
          .subject = file.filename().string(),
          .detail = dump_json_line(detail)};
}

void refuse_foreign(const fs::path& file) {
  if (file.extension() != k_foreign) return;
  throw Error(ErrorCode::engine_malformed,
              fmt::format("'{}' has no C library, and no engine of ours starts without", printable(file.string())),
              "make an engine package of it on the low side: [engine.NAME] with archive = \"FILE.baiengine\"");
}

}  // namespace

engine::InstalledEngine import_engine(Invocation& invocation, const Site& site, const fs::path& file,
                                      const std::optional<Digest>& expected, engine::Unsuited unsuited) {
  AuditLog log(site.audit_folder(), "");
  Json detail = {{"file", file.string()}};
  std::optional<engine::PrivateCopy> copy;
  try {
    refuse_foreign(file);
    make_folders(site.engines_folder());
    copy = engine::copy_privately(file, site.engines_folder(), site.config().reserve_bytes);
    detail["package"] = copy->digest.text();
    if (expected) {
      engine::require_announced(copy->digest, *expected, file);
      detail["believed_by"] = "digest";
    } else {
      const auto root = TrustStore(site.trust_folder()).current();
      detail["keys"] = engine::require_signed_list(copy->digest, file, root, now());
      detail["believed_by"] = "signature";
    }
    (void)engine::EngineReader(copy->file.get());
  } catch (const Error& error) {
    detail["error"] = info(error.code()).slug;
    auto event = import_event(invocation.actor(), file, detail);
    event.outcome = Outcome::failure;
    log.append(event);
    throw;
  }
  std::optional<engine::InstalledEngine> installed;
  logged_effect(log, import_event(invocation.actor(), file, detail), [&] {
    engine::EngineFacts facts;
    facts.origin = fs::absolute(file).string();
    facts.package = copy->digest.text();
    installed = engine::install_engine(copy->file.get(), site.engines_folder(), std::move(facts),
                                       engine::probe_machine(), unsuited);
  });
  return *std::move(installed);
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
    if (name.ends_with(".tar") || name.ends_with(k_foreign)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  for (const auto& file : found) {
    try {
      // A package whose signature is still to come waits for it.
      if (file.extension() == k_foreign || !engine::import_signatures(file).empty()) take(file);
    } catch (const std::exception& error) {
      m_invocation.reporter().note(fmt::format("'{}' cannot be taken: {}", printable(file.string()), error.what()));
    }
  }
}

void IncomingEngines::take(const fs::path& file) {
  std::string reason;
  try {
    const auto one = import_engine(m_invocation, m_site, file, std::nullopt, engine::Unsuited::refuse);
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
