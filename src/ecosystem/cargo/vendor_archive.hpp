// A vendored tree as one tar, which is the same for the same tree: Cargo.lock and vendor/…, sorted, with fixed times,
// owners and modes (0644, 0755 where the owner may execute).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::cargo {

inline constexpr std::string_view k_vendor_kind = "cargo-vendor";
/// In the facts of an artifact whose tar has no Cargo.lock: {"lock": false}.
inline constexpr std::string_view k_fact_lock = "lock";

/// Where the tar of a vendored tree called so stands in a bundle.
std::string vendor_path(std::string_view name);

enum class Executable : std::uint8_t { no, yes };

/// The tar, written front to back: lock() first where there is one, then the files in the order of their paths.
class VendorArchive {
 public:
  /// @param out outlives it
  explicit VendorArchive(int out);
  ~VendorArchive();
  VendorArchive(const VendorArchive&) = delete;
  VendorArchive& operator=(const VendorArchive&) = delete;

  void lock(std::string_view bytes);
  /// @param path below the tree, "serde/src/lib.rs"
  /// @return the SHA-256 of what was read. @throws Error{io_error, disk_full}, also where the file ends before
  Digest file(const std::string& path, int fd, std::uint64_t offset, std::uint64_t size, Executable executable);
  void end();

 private:
  class Writer;
  std::unique_ptr<Writer> m_writer;
};

/// The tar of a folder. @param lock the bytes of Cargo.lock. @throws Error{not_regular, io_error, disk_full}
void write_vendor_archive(const std::filesystem::path& folder, std::string_view lock, int out);

}  // namespace liftlock::cargo
