// The register of media: what came in and what left, on what, with whom. It is kept in the audit log (`liftlock
// media`).
#pragma once

#include <string>
#include <string_view>

#include "audit/audit_log.hpp"

namespace liftlock {

/// Types of its entries; the subject is the medium's serial number, the one on its label where that is another than the
/// device's (`device_serial` of the detail).
inline constexpr std::string_view k_media_in_event = "media.in";
inline constexpr std::string_view k_media_out_event = "media.out";

/// Why, as the register has it, the medium with this serial number should not be here; for people. Empty when it came
/// in and did not leave, and where no register is kept: nothing was ever registered as come in.
std::string unregistered_medium(const AuditLog& log, const std::string& serial);

}  // namespace liftlock
