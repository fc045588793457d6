#include "site/site.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/user.hpp"
#include "site/config.hpp"

namespace liftlock {
namespace {

constexpr std::array k_zones = {Zone::none, Zone::low, Zone::transfer, Zone::ingest, Zone::production};

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

std::string audit_table(const std::vector<std::string>& witnesses) {
  if (witnesses.empty()) {
    return "# [audit]\n"
           "# witness = [\"NAME+HEX+BASE64\"]  # what `liftlock audit witness key` prints on a second machine, which "
           "is "
           "met before ingests";
  }
  std::string keys;
  for (const auto& key : witnesses) keys += (keys.empty() ? "" : ", ") + toml_string(key);
  return fmt::format("[audit]\nwitness = [{}]  # each is met before ingests: docs/guides/witness.md", keys);
}

std::string first_config(Zone zone, std::string_view organisation, const RecordChoice& record,
                         const std::vector<std::string>& witnesses) {
  return fmt::format(R"(# Liftlock installation. Every key is described in docs/formats/config.md.
zone = "{}"
organisation = {}

[policy]
require_expect = true            # ingest wants the announced digest of bundle.json
accept_expired_bundles = false
reserve = "1GiB"                 # disk that ingest never fills

[serve]
listen = "127.0.0.1:8480"        # any other address needs tls_certificate and tls_key
# tls_certificate = "/etc/liftlock/tls.crt"
# tls_key = "/etc/liftlock/tls.key"
# tokens_file = "/etc/liftlock/tokens"

[models]                         # what `serve` runs for /v1/ and /api/; everybody needs a key: `liftlock key add`
# memory = "8GiB"                # for all engines together
keep_alive = 30                  # minutes that an idle model stays loaded

[record]
mode = "{}"{}# of prompts and answers: full, hash-only (digests in the audit log) or off
when_unwritable = "{}"{}# stop: no answer without its record; answer: it goes out, and is counted
# recordings = false             # keep the digests of what speech models hear, and not the sound
# keep = "6y"                    # what `liftlock record expire` erases when older

{}
# syslog = "tls://10.0.0.9:6514" # the site's collector, if entries are to go there as well; needs syslog_ca_file

# Where bundles may come from: `liftlock ingest SOURCE`.
# [source.usb]
# path = "/mnt/transfer"
# require_read_only = true
)",
                     name(zone), toml_string(organisation), record.mode, std::string(24 - record.mode.size(), ' '),
                     record.or_stop ? "stop" : "answer", std::string(record.or_stop ? 9 : 7, ' '),
                     audit_table(witnesses));
}

}  // namespace

std::string_view name(Zone zone) {
  switch (zone) {
    case Zone::none:
      return "none";
    case Zone::low:
      return "low";
    case Zone::transfer:
      return "transfer";
    case Zone::ingest:
      return "ingest";
    case Zone::production:
      return "production";
  }
  fail(ErrorCode::internal, "unknown zone");
}

std::optional<Zone> parse_zone(std::string_view text) {
  for (const auto zone : k_zones) {
    if (name(zone) == text && zone != Zone::none) return zone;
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> parse_retention(std::string_view text) {
  if (!text.ends_with('y')) return parse_duration(text);
  const auto years = parse_uint(text.substr(0, text.size() - 1));
  if (!years || *years > 1000) return std::nullopt;
  return std::chrono::days(365 * static_cast<int>(*years));
}

fs::path Site::default_folder() {
  if (const char* state = std::getenv("LIFTLOCK_STATE"); state != nullptr && *state != '\0') return state;
  if (::geteuid() == 0) return "/var/lib/liftlock";
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
    return fs::path(data) / "liftlock";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/") / ".local/share/liftlock";
}

Site::Site(fs::path folder) : m_folder(std::move(folder)) {
  const auto file = m_folder / "config.toml";
  std::error_code error;
  m_exists = fs::exists(file, error);
  if (error == std::errc::permission_denied) {
    throw Error(ErrorCode::io_error, fmt::format("no permission to look into '{}'", printable(m_folder.string())),
                "run it as the user whose installation it is, or as a member of the folder's group");
  }
  if (!m_exists) return;
  m_config_text = read_file(file, 1u << 20);
  m_config = parse_config(m_config_text);
}

Site Site::create(const fs::path& folder, Zone zone, std::string_view organisation, const RecordChoice& record,
                  const std::vector<std::string>& witnesses) {
  const auto file = folder / "config.toml";
  if (fs::exists(file)) {
    Site existing(folder);
    if (existing.config().zone != zone) {
      fail(ErrorCode::immutable, "'{}' is already an installation of zone '{}'", printable(folder.string()),
           name(existing.config().zone));
    }
    return existing;
  }
  const bool fresh = !fs::exists(folder);
  make_folders(folder);
  // What was made before, by a package or a person, keeps the mode that they chose.
  if (fresh && ::chmod(folder.c_str(), 0750) != 0) fail_errno(fmt::format("chmod {}", printable(folder.string())));
  for (const auto* below : {"store", "audit", "trust", "keys", "engines"}) make_folders(folder / below);
  if (::chmod((folder / "keys").c_str(), 0700) != 0) fail_errno("chmod keys");
  write_file_atomically(file, first_config(zone, organisation, record, witnesses));
  return Site(folder);
}

void Site::require_own() const {
  struct stat status {};
  if (::geteuid() != 0 || ::stat(m_folder.c_str(), &status) != 0 || status.st_uid == 0) return;
  const auto owner = user_name(status.st_uid);
  const auto folder = printable(m_folder.string());
  throw Error(ErrorCode::wrong_user,
              fmt::format("'{}' belongs to the user {}, who could not change what root writes there", folder, owner),
              fmt::format("run it as that user: runuser -u {} -- liftlock --state {} …", owner, folder));
}

void Site::require_zone(std::string_view command, const std::vector<Zone>& allowed) const {
  if (!m_exists) {
    fail(ErrorCode::state_missing, "there is no installation in '{}'", printable(m_folder.string()));
  }
  if (std::find(allowed.begin(), allowed.end(), m_config.zone) != allowed.end()) return;
  std::string names;
  for (const auto zone : allowed) names += fmt::format("{}{}", names.empty() ? "" : ", ", name(zone));
  fail(ErrorCode::wrong_zone, "'{}' works in zone {}, and this installation is zone {}", command, names,
       name(m_config.zone));
}

}  // namespace liftlock
