#include "cli/recorded_effect.hpp"

#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
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

}  // namespace liftlock
