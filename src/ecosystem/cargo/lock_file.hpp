// Cargo.lock, versions 2 to 4: which crates a build takes, from where, and the SHA-256 of each.
// Source: https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html; written by cargo's resolver/encode.rs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock::cargo {

inline constexpr std::uint64_t k_max_lock_file = 32u << 20;

struct LockedPackage {
  std::string name;
  std::string version;
  /// "registry+https://…", "sparse+https://…", "git+https://…"; empty: a path of the workspace
  std::string source;
  std::optional<Digest> checksum;         ///< of the .crate
  std::vector<std::size_t> dependencies;  ///< indexes into LockFile::packages, sorted

  bool is_of_registry() const { return source.starts_with("registry+") || source.starts_with("sparse+"); }
  bool is_of_git() const { return source.starts_with("git+"); }
  /// "serde 1.0.200"
  std::string shown() const { return name + " " + version; }
};

struct LockFile {
  std::uint64_t version = 0;
  std::vector<LockedPackage> packages;  ///< sorted by name, version and source
};

/// Every package of a registry has a checksum; names and versions are sound, and no two are the same package.
/// @throws Error{unresolvable} for what is no such file, or of a version that is not read here
LockFile parse_lock_file(std::string_view text);

/// A repository that packages of the lock come from.
struct GitSource {
  std::string url;                  ///< as git takes it
  std::string reference;            ///< the branch or tag that Cargo.toml names; empty: none, or a commit
  std::string commit;               ///< empty where the lock states none
  std::vector<std::string> crates;  ///< LockedPackage::shown(), sorted
};
/// Each once. Of what they hold a lock states no checksum.
std::vector<GitSource> git_sources(const LockFile& lock);

/// Is it the registry that cargo has built in, as lock files write it? Other registries are named in configurations.
bool is_default_registry(std::string_view source);

}  // namespace liftlock::cargo
