#include "audit/audit_entry.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/merkle.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_type = 64;
constexpr std::size_t k_max_actor = 512;
constexpr std::size_t k_max_subject = 4096;
constexpr std::size_t k_max_detail = 60'000;
constexpr JsonLimits k_limits{.max_bytes = k_max_entry_bytes, .max_depth = 16};

bool is_type(std::string_view type) {
  return !type.empty() && type.size() <= k_max_type && std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

Outcome parse_outcome(std::string_view text) {
  for (const auto outcome : {Outcome::intent, Outcome::success, Outcome::failure}) {
    if (name(outcome) == text) return outcome;
  }
  fail(ErrorCode::schema_violation, "an audit entry: the outcome '{}' is unknown", printable(text));
}

std::string text_of(std::string_view text) {
  return is_utf8(text) ? std::string(text) : printable(text);
}

std::string bounded(std::string text, std::size_t limit, std::string_view what) {
  if (text.size() > limit) fail(ErrorCode::limit_exceeded, "an audit entry whose {} has {} bytes", what, text.size());
  return text;
}

}  // namespace

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::intent:
      return "intent";
    case Outcome::success:
      return "success";
    case Outcome::failure:
      return "failure";
  }
  return "";
}

std::string entry_to_bytes(const AuditEvent& event, Timestamp time) {
  auto detail = Json::object();
  if (!event.detail.empty()) detail = parse_json(bounded(event.detail, k_max_detail, "detail"), k_limits);
  return entry_to_bytes(event, detail, time);
}

std::string entry_to_bytes(const AuditEvent& event, const Json& detail, Timestamp time) {
  if (!is_type(event.type)) fail(ErrorCode::schema_violation, "'{}' is no type of audit entry", printable(event.type));
  if (!detail.is_object()) fail(ErrorCode::schema_violation, "the detail of an audit entry must be a JSON object");
  // As dump_json_line() writes an object of these members, without making one.
  const auto quoted = [](std::string text) { return dump_json_line(Json(std::move(text))); };
  auto out = "{\"actor\":" + quoted(bounded(text_of(event.actor), k_max_actor, "actor"));
  out += ",\"detail\":" + dump_json_line(detail);
  out += fmt::format(R"(,"outcome":"{}","subject":)", name(event.outcome));
  out += quoted(bounded(text_of(event.subject), k_max_subject, "subject"));
  out += fmt::format(R"(,"time":"{}","type":"{}","v":1}})", format_time(time), event.type);
  return bounded(std::move(out), k_max_entry_bytes, "whole");
}

AuditEntry entry_from_bytes(std::string_view bytes, std::uint64_t index) {
  constexpr std::string_view where = "an audit entry";
  const auto json = parse_json(bytes, k_limits);
  only_members(json, {"actor", "detail", "outcome", "subject", "time", "type", "v"}, where);
  if (uint_member(json, "v", where) != 1) fail(ErrorCode::too_new, "an audit entry of version {}", json["v"].dump());
  AuditEntry entry;
  entry.index = index;
  entry.time = parse_time(string_member(json, "time", where));
  entry.event.type = string_member(json, "type", where);
  entry.event.actor = bounded(string_member(json, "actor", where), k_max_actor, "actor");
  entry.event.outcome = parse_outcome(string_member(json, "outcome", where));
  entry.event.subject = bounded(string_member(json, "subject", where), k_max_subject, "subject");
  entry.event.detail = dump_json_line(object_member(json, "detail", where));
  if (!is_type(entry.event.type)) fail(ErrorCode::schema_violation, "an audit entry with a malformed type");
  // One entry has one form: what parses but is written otherwise was not written by us.
  if (dump_json_line(json) != bytes) fail(ErrorCode::schema_violation, "an audit entry that is not canonical JSON");
  return entry;
}

}  // namespace liftlock
