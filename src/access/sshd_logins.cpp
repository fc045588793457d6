#include "access/sshd_logins.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "net/address.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_from = " from ";
constexpr std::string_view k_for = " for ";
constexpr std::string_view k_invalid_user = "invalid user ";
/// sshd cuts a name at 100 bytes, and escapes what is not printable with four.
constexpr std::size_t k_max_user = 400;
constexpr std::size_t k_max_address = 64;
constexpr std::size_t k_max_method = 64;
constexpr std::size_t k_max_shown = 300;
constexpr std::size_t k_max_cursor = 256;
constexpr std::uint64_t k_max_microseconds = 9'000'000'000'000'000;

bool is_address(std::string_view text) {
  if (text == "UNKNOWN") return true;
  return text.size() <= k_max_address && printable(text) == text && IpAddress::parse(text.substr(0, text.find('%')));
}

bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= k_max_method && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '/';
  });
}

/// Takes `prefix` off.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// "ADDRESS port N ssh2", and then nothing or what is known of the key.
std::optional<std::string_view> address_at(std::string_view text) {
  const auto address = text.substr(0, text.find(' '));
  text.remove_prefix(address.size());
  if (!take(text, " port ")) return std::nullopt;
  const auto digits = text.substr(0, text.find(' '));
  text.remove_prefix(digits.size());
  if (!parse_uint(digits) || !take(text, " ssh2") || !(text.empty() || text.starts_with(": "))) return std::nullopt;
  return is_address(address) ? std::optional(address) : std::nullopt;
}

/// "METHOD for [invalid user ]USER"
bool read_parts(std::string_view text, SshdLogin& login) {
  const auto split_at = text.find(k_for);
  if (split_at == std::string_view::npos || !is_method(text.substr(0, split_at))) return false;
  auto user = text.substr(split_at + k_for.size());
  login.is_known_user = !take(user, k_invalid_user);
  auto shown = printable(user);
  if (shown.size() > k_max_user) return false;
  login.method = std::string(text.substr(0, split_at));
  login.user = std::move(shown);
  return true;
}

bool is_cursor(std::string_view text) {
  return !text.empty() && text.size() <= k_max_cursor && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '=' || c == ';';
  });
}

/// Anybody may call himself sshd; the user is the kernel's word.
bool is_of_sshd(const Json& entry) {
  const auto name = text_in(entry, "SYSLOG_IDENTIFIER");
  return (name == "sshd" || name == "sshd-session") && text_in(entry, "_UID") == "0";
}

/// Text, or the array of bytes in place of what is no UTF-8; nullopt: neither. What is long is null without --all.
std::optional<std::string> message_in(const Json& entry) {
  const auto found = entry.find("MESSAGE");
  if (found == entry.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return std::nullopt;
  std::string out;
  for (const auto& byte : *found) {
    if (!byte.is_number_unsigned() || byte.get<std::uint64_t>() > 255) return std::nullopt;
    out += static_cast<char>(byte.get<std::uint8_t>());
  }
  return out;
}

}  // namespace

std::optional<SshdLogin> parse_sshd_message(std::string_view message) {
  SshdLogin login;
  auto text = message;
  login.accepted = take(text, "Accepted ");
  if (!login.accepted && !take(text, "Failed ")) return std::nullopt;
  // Who names himself "x from 10.0.0.1 port 1 ssh2: y" puts a second address beside his own: then none is believed.
  std::size_t readings = 0, from = 0;
  std::string_view address;
  for (auto at = text.find(k_from); at != std::string_view::npos; at = text.find(k_from, at + 1)) {
    const auto found = address_at(text.substr(at + k_from.size()));
    if (!found) continue;
    ++readings, from = at, address = *found;
  }
  if (readings == 0) return std::nullopt;
  if (readings == 1) login.peer = std::string(address);
  if (readings > 1 || !read_parts(text.substr(0, from), login))
    login.unclear = printable(message.substr(0, k_max_shown));
  return login;
}

std::optional<JournalLine> parse_journal_line(std::string_view line) {
  Json entry;
  try {
    entry = parse_json(line, {.max_bytes = k_max_journal_line, .max_depth = 4});
  } catch (const Error&) {
    return std::nullopt;
  }
  JournalLine out;
  out.cursor = text_in(entry, "__CURSOR");
  const auto time = parse_uint(text_in(entry, "__REALTIME_TIMESTAMP"));
  if (!is_cursor(out.cursor) || !time || *time > k_max_microseconds) return std::nullopt;
  out.microseconds = *time;
  if (!is_of_sshd(entry)) return out;
  const auto message = message_in(entry);
  out.lacks_message = !message;
  if (message) out.login = parse_sshd_message(*message);
  return out;
}

}  // namespace liftlock
