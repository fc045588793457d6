#include "cli/cmd_audit.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_entry.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"

namespace liftlock {

AuditLog open_audit_log(const Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("audit", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  return AuditLog::open_to_read(site.audit_folder());
}

Json to_json(const AuditEntry& entry) {
  return {{"index", entry.index},
          {"time", format_time(entry.time)},
          {"type", entry.event.type},
          {"actor", entry.event.actor},
          {"outcome", name(entry.event.outcome)},
          {"subject", entry.event.subject},
          {"detail", parse_json(entry.event.detail)}};
}

void add_audit(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("audit", "Read, check, prove from and export the audit log; have it witnessed");
  group->require_subcommand(1);
  add_audit_tail(*group, invocation);
  add_audit_verify(*group, invocation);
  add_audit_prove(*group, invocation);
  add_audit_export(*group, invocation);
  add_audit_report(*group, invocation);
  add_audit_witness(*group, invocation);
  add_audit_of_side(*group, invocation);
}

}  // namespace liftlock
