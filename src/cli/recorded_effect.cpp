#include "cli/recorded_effect.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "bundle/packed.hpp"
#include "cli/config_record.hpp"

namespace liftlock {
namespace {

AuditEvent with_error(AuditEvent event, ErrorCode code) {
  auto detail = parse_json(event.detail);
  detail["error"] = info(code).slug;
  event.detail = dump_json_line(detail);
  event.outcome = Outcome::failure;
  return event;
}

}  // namespace

void recorded_effect(Invocation& invocation, const std::string& type, const std::string& subject, const Json& detail,
                     const std::function<void()>& effect) {
  const auto site = invocation.site();
  if (!site.exists()) return effect();
  require_audit_log(site);
  AuditLog log(site.audit_folder(), "");
  logged_effect(log,
                {.type = type,
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = subject,
                 .detail = dump_json_line(detail)},
                effect);
}

Outcomes logged_effects(AuditLog& log, const AuditEvent& event, const std::vector<std::string>& subjects,
                        const std::function<Outcomes()>& effect) {
  std::vector<AuditEvent> events(subjects.size(), event);
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    events[i].subject = subjects[i];
    events[i].outcome = Outcome::intent;
  }
  log.append(events);
  const auto tell = [&](const std::function<std::optional<ErrorCode>(const std::string& subject)>& why) {
    for (auto& one : events) {
      one.outcome = Outcome::success;
      if (const auto code = why(one.subject)) one = with_error(one, *code);
    }
    log.append(events);
  };
  Outcomes outcomes;
  try {
    outcomes = effect();
  } catch (const Error& error) {
    tell([&](const auto&) { return error.code(); });
    throw;
  }
  tell([&](const auto& subject) {
    const auto& why = outcomes.at(subject);
    return why ? std::optional(why->code()) : std::nullopt;
  });
  return outcomes;
}

void note_of_bundle(Invocation& invocation, std::string_view type, const std::string& channel, std::uint64_t sequence,
                    const Json& detail, std::string_view told) {
  const auto subject = packed_subject(channel, sequence);
  AuditLog(invocation.site().audit_folder(), "")
      .append({.type = std::string(type),
               .actor = invocation.actor(),
               .outcome = Outcome::success,
               .subject = subject,
               .detail = dump_json_line(detail)});
  Json json = {{"channel", channel}, {"sequence", sequence}};
  json.update(detail);
  invocation.print(json, [&] { return fmt::format("{} {}\n", printable(subject), told); });
}

}  // namespace liftlock
