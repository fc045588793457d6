#include "cli/config_record.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/reporter.hpp"
#include "crypto/hash.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_event = "site.config";
constexpr std::string_view k_subject = "config.toml";
constexpr std::size_t k_max_detail = 50'000;

/// Key → [old, new]; null where it was or is absent.
Json changes(const Json& before, const Json& after) {
  std::set<std::string> keys;
  for (const auto& [key, value] : before.items()) keys.insert(key);
  for (const auto& [key, value] : after.items()) keys.insert(key);
  auto out = Json::object();
  for (const auto& key : keys) {
    const auto old_value = before.value(key, Json()), new_value = after.value(key, Json());
    if (old_value != new_value) out[key] = {old_value, new_value};
  }
  return out;
}

/// What else is there only once something was done that the log has.
bool was_used(const Site& site) {
  const auto served = site.keys_folder() / "mirror-gnupg";
  for (const auto& path : {served, site.access_file(), site.rings_file(), site.engine_defaults_file(),
                           site.verified_file(), site.records_folder()}) {
    if (fs::exists(path)) return true;
  }
  for (const auto& folder : {site.trust_folder(), site.engines_folder()}) {
    if (fs::exists(folder) && !fs::is_empty(folder)) return true;
  }
  return false;
}

}  // namespace

// A new log beside an old store would be whole, and hold nothing of what was done.
void require_audit_log(const Site& site) {
  if (!audit_log_is_lost(site)) return;
  throw Error(ErrorCode::audit_broken,
              fmt::format("the audit log is lost: '{}' holds none, and this installation was used before",
                          printable(site.audit_folder().string())),
              "stop, and restore it from the newest backup; where there is none, `liftlock init --zone ZONE "
              "--new-audit-log --reason TEXT` begins another, whose first entry says so");
}

bool audit_log_is_lost(const Site& site) {
  if (fs::exists(site.audit_folder() / "journal")) return false;
  if (was_used(site)) return true;
  if (!fs::exists(site.catalog_file())) return false;
  const Catalog catalog(site.catalog_file(), Access::read);
  return !catalog.publications().empty() || !catalog.retired().empty() || !catalog.sets().empty();
}

void record_config(const Invocation& invocation, const Site& site) {
  if (!site.exists()) return;
  site.require_own();
  require_audit_log(site);
  AuditLog log(site.audit_folder(), "");
  for (const auto& file : log.repaired()) {
    invocation.reporter().warn(
        fmt::format("the audit log's {} was damaged; the journal had what it held, and it was written again: look for "
                    "what changed it (docs/guides/audit.md)",
                    file));
  }
  Json detail = {{"digest", sha256(site.config_text()).text()}, {"settings", settings_json(site.config())}};
  if (const auto last = log.find_last(k_event, k_subject)) {
    const auto before = parse_json(last->event.detail);
    if (before.value("digest", "") == detail["digest"]) return;
    detail["previous"] = before.value("digest", "");
    detail["changed"] = changes(before.value("settings", Json::object()), detail["settings"]);
  }
  auto text = dump_json_line(detail);
  // Hundreds of sources would not fit an entry; their digest always does.
  if (text.size() > k_max_detail) text = dump_json_line({{"digest", detail["digest"]}, {"shortened", true}});
  log.append({.type = std::string(k_event),
              .actor = invocation.actor(),
              .outcome = Outcome::success,
              .subject = std::string(k_subject),
              .detail = std::move(text)});
}

}  // namespace liftlock
