// A .crate: a gzipped tar of one folder NAME-VERSION, as `cargo package` makes it.
#pragma once

#include <string>
#include <string_view>

#include "archive/tar_reader.hpp"
#include "ecosystem/cargo/manifest.hpp"

namespace liftlock::cargo {

/// "serde-1.0.200.crate"
std::string crate_file_name(std::string_view name, std::string_view version);

struct CrateContent {
  Manifest manifest;
  bool has_build_script = false;  ///< named by Cargo.toml, or a build.rs that it does not rule out
  std::uint64_t files = 0;
  std::uint64_t unpacked_size = 0;
};

/// Reads the whole archive once. Refused: what read_tar refuses, names outside of the folder NAME-VERSION, a name that
/// is there twice, a second Cargo.toml under case folding, a mark of cargo's own (.cargo-ok, .cargo-checksum.json), and
/// a Cargo.toml of another name or version.
/// @param fd its offset is neither used nor moved
/// @throws Error{package_malformed, path_unsafe, path_collision, not_regular, limit_exceeded}
CrateContent check_crate(int fd, std::string_view name, std::string_view version, TarLimits limits = {});

}  // namespace liftlock::cargo
