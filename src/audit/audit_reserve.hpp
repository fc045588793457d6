// Room that the audit log keeps for itself, so that a full disk stops everything else first.
#pragma once

#include <cstdint>

#include "os/file.hpp"

namespace liftlock {

inline constexpr std::uint64_t k_audit_reserve = 8u << 20;  ///< some ten thousand entries

/// Allocates FOLDER/reserve (that much, without content) where it is not whole and the file system has plenty of room
/// (ten times as much) left. Never throws: without it the log is as good as the disk is.
void keep_audit_reserve(const fs::path& folder) noexcept;

/// Frees a slice of it, so little that others hardly get any of it.
enum class ReserveSlice { none, first, next };
ReserveSlice spend_audit_reserve(const fs::path& folder) noexcept;

/// Without a whole one the disk is full, or nearly so.
bool has_audit_reserve(const fs::path& folder) noexcept;

}  // namespace liftlock
