// An audit entry as a syslog message (RFC 5424). docs/formats/syslog.md, "Message".
#pragma once

#include <string>
#include <string_view>

#include "audit/audit_log.hpp"

namespace liftlock {

/// What receivers should take (RFC 5425 section 4.3.1).
inline constexpr std::size_t k_max_syslog_message = 8192;

/// ASCII only, without a line end, at most k_max_syslog_message bytes.
/// @param log the origin of the log
std::string syslog_message(const AuditEntry& entry, std::string_view log, std::string_view host);
/// RFC 5425 section 4.3: octet counting.
std::string syslog_frame(std::string_view message);

}  // namespace liftlock
