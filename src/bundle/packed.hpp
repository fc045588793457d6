// Low side: what was packed and what the other side said of it, as the audit log has it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"

namespace liftlock {

inline constexpr std::string_view k_pack_event = "bundle.pack";
inline constexpr std::string_view k_acknowledge_event = "bundle.acknowledge";

struct PackedBundle {
  Digest digest;  ///< of bundle.json
  Timestamp packed{};
  bool acknowledged = false;
};

/// By channel, then by sequence. Reads the whole log.
std::map<std::string, std::map<std::uint64_t, PackedBundle>> packed_bundles(const AuditLog& log);

/// "demo/7", the subject of both events.
std::string packed_subject(std::string_view channel, std::uint64_t sequence);

}  // namespace liftlock
