// Low side: a vendored tree as one tar, which is the same for the same tree.
#pragma once

#include <filesystem>
#include <string_view>

namespace liftlock::cargo {

/// Writes Cargo.lock and vendor/…, sorted, with fixed times, owners and modes (0644, 0755 where the owner may execute).
/// @param lock the bytes of Cargo.lock
/// @throws Error{not_regular, io_error, disk_full}
void write_vendor_archive(const std::filesystem::path& folder, std::string_view lock, int out);

}  // namespace liftlock::cargo
