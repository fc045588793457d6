#include "cli/config_record.hpp"

#include <algorithm>
#include <array>
#include <map>
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

/// Tables that there may be hundreds of.
constexpr std::array<std::string_view, 6> k_lists = {"source.",  "repository.", "registry.",
                                                     "channel.", "roles.",      "pool."};

Json digest_of(const Json& value) {
  return {{"digest", sha256(dump_json_line(value)).text()}};
}

/// Fits an entry, whatever config.toml holds: a long value, and the tables of a list together, are told by their digest
/// ("source.*"). Every other key stays, so that no change passes unseen behind a long one.
Json shortened(const Json& settings) {
  constexpr std::size_t k_long = 200;
  auto out = Json::object();
  std::map<std::string, Json> lists;
  for (const auto& [key, value] : settings.items()) {
    const auto list = std::find_if(k_lists.begin(), k_lists.end(), [&](auto one) { return key.starts_with(one); });
    if (list != k_lists.end()) {
      lists[std::string(*list) + "*"][key] = value;
    } else {
      out[key] = dump_json_line(value).size() > k_long ? digest_of(value) : value;
    }
  }
  for (const auto& [key, values] : lists) out[key] = digest_of(values);
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
  const auto folder = printable(site.audit_folder().string());
  if (audit_key_is_lost(site)) {
    throw Error(ErrorCode::audit_broken,
                fmt::format("the audit log has lost its private key: there is no '{}/key'", folder),
                std::string(k_way_out_of_lost_key));
  }
  throw Error(
      ErrorCode::audit_broken,
      fmt::format("the audit log is lost: '{}' holds no journal, and this installation was used before", folder),
      "stop, and restore it from the newest backup; where there is none, `liftlock init --zone ZONE "
      "--new-audit-log --reason TEXT` begins another, whose first entry says so");
}

bool audit_key_is_lost(const Site& site) {
  return fs::exists(site.audit_folder() / "journal") && !fs::exists(site.audit_folder() / "key");
}

bool audit_log_is_lost(const Site& site) {
  const auto audit = site.audit_folder();
  if (fs::exists(audit / "journal")) return audit_key_is_lost(site);
  if (fs::exists(audit / "checkpoint") || fs::exists(audit / "tile") || was_used(site)) return true;
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
  const auto settings = settings_json(site.config());
  Json detail = {{"digest", sha256(site.config_text()).text()}, {"settings", settings}};
  auto known = Json::object();
  bool known_is_short = false;
  const auto last = log.find_last(k_config_event, k_subject);
  if (last) {
    const auto before = parse_json(last->event.detail);
    if (before.value("digest", "") == detail["digest"]) return;
    detail["previous"] = before.value("digest", "");
    known = before.value("settings", Json::object());
    known_is_short = before.value("shortened", false);
    detail["changed"] = changes(known, known_is_short ? shortened(settings) : settings);
  }
  auto text = dump_json_line(detail);
  if (text.size() > k_max_detail) {
    detail["shortened"] = true;
    detail["settings"] = shortened(settings);
    if (last) detail["changed"] = changes(known_is_short ? known : shortened(known), detail["settings"]);
    text = dump_json_line(detail);
  }
  log.append({.type = std::string(k_config_event),
              .actor = invocation.actor(),
              .outcome = Outcome::success,
              .subject = std::string(k_subject),
              .detail = std::move(text)});
}

}  // namespace liftlock
