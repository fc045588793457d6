#include "syslog/syslog_message.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "audit/audit_entry.hpp"

namespace liftlock {
namespace {

constexpr unsigned k_log_audit = 13, k_warning = 4, k_informational = 6;  // RFC 5424 section 6.2.1
constexpr std::size_t k_max_message_id = 32, k_max_host = 255;
/// Of a text that is cut; each of its bytes may become six.
constexpr std::size_t k_cut = 512;

std::string dump_ascii(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

/// PRINTUSASCII, never empty.
std::string field(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (const char c : text.substr(0, max_bytes)) out += c > 0x20 && c < 0x7F ? c : '?';
  return out.empty() ? "-" : out;
}

}  // namespace

std::string syslog_message(const AuditEntry& entry, std::string_view log, std::string_view host) {
  const auto& event = entry.event;
  Json content = {{"v", 1},
                  {"index", entry.index},
                  {"log", log},
                  {"time", format_time(entry.time)},
                  {"type", event.type},
                  {"actor", event.actor},
                  {"outcome", name(event.outcome)},
                  {"subject", event.subject},
                  {"detail", parse_json(event.detail)}};
  const auto severity = event.outcome == Outcome::failure ? k_warning : k_informational;
  const auto head = fmt::format("<{}>1 {} {} liftlock - {} - ", k_log_audit * 8 + severity, format_time(entry.time),
                                field(host, k_max_host), field(event.type, k_max_message_id));
  auto text = dump_ascii(content);
  if (head.size() + text.size() > k_max_syslog_message) {
    content["detail"] = {{"shortened", true}};
    text = dump_ascii(content);
  }
  if (head.size() + text.size() > k_max_syslog_message) {
    // A cut may split a character; the dump replaces what is no UTF-8.
    content["actor"] = event.actor.substr(0, k_cut);
    content["subject"] = event.subject.substr(0, k_cut);
    text = dump_ascii(content);
  }
  return head + text;
}

std::string syslog_frame(std::string_view message) {
  return fmt::format("{} {}", message.size(), message);
}

}  // namespace liftlock
