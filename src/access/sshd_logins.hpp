// What OpenSSH's server says of logins in the journal, as `journalctl --output json` writes it. The names and methods
// in it were typed by whoever tried: docs/formats/access.md says what is believed.
// Sources: systemd.journal-fields(7), journalctl(1) "json"; auth_log() of OpenSSH's auth.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace liftlock {

struct SshdLogin {
  bool accepted = false;
  bool is_known_user = true;
  std::string method;   ///< "password", "publickey", "keyboard-interactive/pam"
  std::string user;     ///< printable, at most 400 bytes
  std::string peer;     ///< an address, with a zone or without, or "UNKNOWN"; empty: two readings, two addresses
  std::string unclear;  ///< what was said, printable, where it has not one reading; then method and user are empty
};

/// nullopt: it tells of no login that succeeded or failed. Never throws.
std::optional<SshdLogin> parse_sshd_message(std::string_view message);

struct JournalLine {
  std::string cursor;              ///< lower-case letters, digits, '=' and ';'
  std::uint64_t microseconds = 0;  ///< since 1970 UTC, before the year 2255
  std::optional<SshdLogin> login;  ///< of an entry that sshd, as root, wrote
  bool lacks_message = false;      ///< sshd wrote it, as root, and journalctl left out what (null), or it was no text
};

inline constexpr std::size_t k_max_journal_line = 64u << 10;

/// nullopt: it is no entry of a journal. Never throws.
std::optional<JournalLine> parse_journal_line(std::string_view line);

}  // namespace liftlock
