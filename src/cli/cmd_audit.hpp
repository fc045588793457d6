// What the commands of `liftlock audit` share.
#pragma once

#include "audit/audit_log.hpp"
#include "cli/command.hpp"

namespace liftlock {

/// @throws Error{state_missing} when there is no installation: looking must not create a log
AuditLog open_audit_log(const Invocation& invocation);
Json to_json(const AuditEntry& entry);

void add_audit_tail(CLI::App& group, Invocation& invocation);
void add_audit_verify(CLI::App& group, Invocation& invocation);
void add_audit_prove(CLI::App& group, Invocation& invocation);
void add_audit_export(CLI::App& group, Invocation& invocation);
void add_audit_report(CLI::App& group, Invocation& invocation);
void add_audit_witness(CLI::App& group, Invocation& invocation);
void add_audit_witness_accept(CLI::App& group, Invocation& invocation);
void add_audit_witness_cosign(CLI::App& group, Invocation& invocation);
void add_audit_witness_key(CLI::App& group, Invocation& invocation);
void add_audit_witness_request(CLI::App& group, Invocation& invocation);
/// High side only.
void add_audit_import_logins(CLI::App& group, Invocation& invocation);
void add_audit_ship(CLI::App& group, Invocation& invocation);
void add_audit_spill(CLI::App& group, Invocation& invocation);
/// What only one side has; defined on each side.
void add_audit_of_side(CLI::App& group, Invocation& invocation);

}  // namespace liftlock
