#include "cli/recorded_effect.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "bundle/packed.hpp"
#include "cli/config_record.hpp"

namespace liftlock {

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
