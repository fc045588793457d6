// The bytes of one entry: canonical JSON on one line (docs/formats/audit.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/audit_log.hpp"

namespace liftlock {

std::string_view name(Outcome outcome);

/// Text that is no UTF-8 is written as printable() shows it.
/// @throws Error{limit_exceeded} past the limits of the format, Error{schema_violation} for a type that is no word or
///         a detail that is no JSON object
std::string entry_to_bytes(const AuditEvent& event, Timestamp time);
/// The same with the detail as JSON, an object; event.detail is not looked at.
std::string entry_to_bytes(const AuditEvent& event, const Json& detail, Timestamp time);

/// Accepts exactly what entry_to_bytes writes. @throws Error{json_invalid, schema_violation, limit_exceeded, …}
AuditEntry entry_from_bytes(std::string_view bytes, std::uint64_t index);

}  // namespace liftlock
