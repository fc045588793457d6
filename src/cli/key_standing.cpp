#include "cli/key_standing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "access/key_ring.hpp"
#include "base/clock.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/reporter.hpp"
#include "cli/key_view.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_named = 5;

/// "key_1f0c9a33b2d4 of ada"
std::string shown(const KeyOfUser& key) {
  return printable(key.id) + (key.user.empty() ? "" : " of " + printable(key.user));
}

std::string what_changed(const ChangedKey& key) {
  if (key.members.empty()) return "cannot be read: somebody wrote into access.db";
  return fmt::format("was changed since it was made: {}", fmt::join(key.members, ", "));
}

/// A line for each key, up to five. @param what of a key
template <typename Key, typename What>
std::string lines_of(const std::vector<Key>& keys, const What& what) {
  std::string out;
  for (std::size_t i = 0; i < std::min(keys.size(), k_named); ++i)
    out += fmt::format("KEYS: {} {}\n", shown(keys[i]), what(keys[i]));
  if (keys.size() > k_named) out += fmt::format("KEYS: and {} more\n", counted(keys.size() - k_named, "key"));
  return out;
}

Json keys_json(const std::vector<KeyOfUser>& keys) {
  auto out = Json::array();
  for (const auto& key : keys) out.push_back({{"id", key.id}, {"user", key.user}});
  return out;
}

/// The members of the entry that the row contradicts. An entry of an older version has fewer.
std::vector<std::string> contradicted(Json entry, Json row) {
  for (auto* one : {&entry, &row}) {
    if (!one->contains("expires")) (*one)["expires"] = nullptr;  // it never ends
  }
  if (!entry.contains("note")) entry.erase("label");  // what is a note today was called so
  std::vector<std::string> out;
  for (const auto& [name, value] : entry.items()) {
    if (row.contains(name) && row[name] != value) out.push_back(name);
  }
  return out;
}

}  // namespace

KeyStanding key_standing(const Site& site, const AuditLog& log) {
  std::map<std::string, std::string> revoked;
  std::vector<KeyOfUser> made;
  std::map<std::string, Json> entries;  // of the keys that were made, by their ids
  std::optional<Timestamp> begun_anew;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    if (event.outcome != Outcome::success) return true;
    if (event.type == "audit.anew") begun_anew = entry.time;
    if (event.type == "key.add" && !entries.contains(event.subject)) {
      const auto& detail = entries.emplace(event.subject, parse_json(event.detail)).first->second;
      made.push_back({event.subject, detail.value("user", "")});
    }
    if (event.type == "key.revoke") revoked[event.subject] = parse_json(event.detail).value("reason", "");
    return true;
  });
  std::map<std::string, bool> held;  // is it revoked in access.db?
  KeyStanding out;
  if (fs::exists(site.access_file())) {
    const KeyRing ring(site.access_file(), Access::read);
    for (const auto& [secret, key] : ring.table()) {
      // A log that was begun anew knows nothing of the keys before it.
      const bool is_older = begun_anew && key.created <= *begun_anew;
      const bool is_ended = key.revoked || revoked.contains(key.id);
      const auto entry = entries.find(key.id);
      if (!is_ended && !is_older && entry == entries.end()) out.unknown.push_back({key.id, key.user});
      if (!is_ended && entry != entries.end()) {
        auto members = contradicted(entry->second, key_entry(key, secret));
        if (!members.empty()) out.changed.push_back({{key.id, entry->second.value("user", "")}, std::move(members)});
      }
      held.emplace(key.id, key.revoked.has_value());
    }
    for (const auto& key : ring.unreadable()) {
      const auto entry = entries.find(key.id);
      const auto user = entry == entries.end() ? "" : entry->second.value("user", "");
      if (!key.is_revoked && !revoked.contains(key.id)) out.changed.push_back({{key.id, user}, {}});
      held.emplace(key.id, key.is_revoked);
    }
  }
  for (auto& key : made) {
    if (!held.contains(key.id) && !revoked.contains(key.id)) out.lost.push_back(std::move(key));
  }
  for (const auto& [id, reason] : revoked) {
    if (const auto found = held.find(id); found != held.end() && !found->second) out.revived[id] = reason;
  }
  return out;
}

Json key_standing_json(const KeyStanding& standing) {
  auto revived = Json::array();
  for (const auto& [id, reason] : standing.revived) revived.push_back(id);
  auto changed = Json::array();
  for (const auto& key : standing.changed)
    changed.push_back({{"id", key.id}, {"user", key.user}, {"members", key.members}});
  return {{"lost", keys_json(standing.lost)},
          {"revived", std::move(revived)},
          {"unknown", keys_json(standing.unknown)},
          {"changed", std::move(changed)}};
}

std::string key_standing_text(const KeyStanding& standing) {
  std::string out;
  for (const auto& [id, reason] : standing.revived)
    out += fmt::format("KEYS: {} was revoked ({}), and is valid\n", printable(id), printable(reason));
  out += lines_of(standing.lost, [](const auto&) { return "was made here, and is not there"; });
  if (!standing.revived.empty()) out += "  the next `liftlock serve` revokes again what was revoked\n";
  if (!out.empty()) {
    out +=
        "  access.db is lost, or an old copy of it was restored: restore the newest, or make new keys and revoke the "
        "lost ones\n";
  }
  if (!standing.unknown.empty()) {
    out += lines_of(standing.unknown, [](const auto&) { return "is valid, and was not made here"; });
    out +=
        "  access.db is another installation's, or the audit log is an old copy: restore this one's newest of both, or "
        "end each with `liftlock key revoke ID --reason TEXT`\n";
  }
  if (!standing.changed.empty()) {
    out += lines_of(standing.changed, what_changed);
    out +=
        "  no command of liftlock changes a key: somebody wrote into access.db. End each with `liftlock key revoke ID "
        "--reason TEXT`, and make a new one\n";
  }
  return out;
}

void warn_of_foreign_keys(const KeyStanding& standing, const Invocation& invocation) {
  for (const auto& key : standing.unknown) {
    invocation.reporter().warn(
        fmt::format("{} is valid, and the audit log never saw it made: `liftlock key revoke {} --reason TEXT` ends it",
                    shown(key), printable(key.id)));
  }
  for (const auto& key : standing.changed) {
    invocation.reporter().warn(fmt::format("{} {}: `liftlock key revoke {} --reason TEXT` ends it", shown(key),
                                           what_changed(key), printable(key.id)));
  }
}

std::vector<std::string> revoke_revived(const Site& site, const KeyStanding& standing, AuditLog& log,
                                        const std::string& actor) {
  std::vector<std::string> out;
  for (const auto& [id, reason] : standing.revived) {
    logged_effect(log,
                  {.type = "key.revoke",
                   .actor = actor,
                   .outcome = Outcome::intent,
                   .subject = id,
                   .detail = dump_json_line({{"reason", reason}, {"again", true}})},
                  [&] { KeyRing(site.access_file()).revoke(id, now(), reason); });
    out.push_back(id);
  }
  return out;
}

}  // namespace liftlock
