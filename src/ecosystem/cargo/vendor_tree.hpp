// A folder that `cargo vendor` made, against the Cargo.lock of its workspace: each crate's .cargo-checksum.json against
// the lock, each file against .cargo-checksum.json, and nothing missing or extra.
// Source: https://doc.rust-lang.org/cargo/reference/source-replacement.html#directory-sources
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_reader.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/lock_file.hpp"

namespace liftlock::cargo {

struct VendorProblem {
  ErrorCode code;
  std::string crate;  ///< "serde 1.0.200", or the folder's name
  std::string message;
};

struct VendorReport {
  std::size_t crates = 0;  ///< that are as the lock says
  std::size_t files = 0;
  std::vector<std::string> unproven;    ///< crates of which no lock states a checksum: those from git
  std::vector<VendorProblem> problems;  ///< empty: the tree is what the lock names; sorted by crate
};

/// Is told of each file of the tree once, in any order, then judges. Memory: a digest per file, and what each crate's
/// .cargo-checksum.json and Cargo.toml hold.
class VendorCheck {
 public:
  /// @param path below the tree, "serde/src/lib.rs"
  /// @return where the file's bytes go; the object must outlive it, and the next file() ends it
  /// @throws Error{limit_exceeded}
  TarSink file(std::string_view path, std::uint64_t size);
  VendorReport finish(const LockFile& lock);
  /// Without a lock: each crate against its own .cargo-checksum.json alone. All crates are `unproven` then.
  VendorReport finish();

 private:
  struct Crate {
    std::map<std::string, Digest, std::less<>> files;
    std::optional<std::string> checksums;
    std::optional<std::string> manifest;
  };
  void end_file();
  using Names = std::map<std::string, const LockedPackage*>;
  VendorReport finish(const LockFile* lock);
  static void judge(const std::string& folder, const Crate& crate, Names& names, const LockFile* lock,
                    VendorReport& report);

  std::map<std::string, Crate, std::less<>> m_crates;  ///< by folder
  std::vector<std::string> m_stray;
  std::size_t m_files = 0;
  Hasher m_hasher;
  std::string m_path;
  bool m_open = false;
};

/// Reads the folder. Links and special files are problems, not errors. @throws Error{not_found, io_error,
/// limit_exceeded}
VendorReport check_vendor_folder(const std::filesystem::path& folder, const LockFile& lock);

/// Reads a tar of Cargo.lock and vendor/…, as VendorArchive makes it.
/// @param lock is there one? One that is not expected is refused, too
/// @throws Error{package_malformed, …} where it is no such tar, or the lock in it is none
enum class WithLock : std::uint8_t { no, yes };
VendorReport check_vendor_archive(int fd, WithLock lock = WithLock::yes);

}  // namespace liftlock::cargo
