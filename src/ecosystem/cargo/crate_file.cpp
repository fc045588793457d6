#include "ecosystem/cargo/crate_file.hpp"

#include <array>
#include <optional>
#include <unordered_set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

void check_is_gzip(int fd) {
  std::array<std::uint8_t, 2> magic{};
  if (!pread_exact(fd, magic, 0, "a crate") || magic[0] != 0x1f || magic[1] != 0x8b) {
    fail(ErrorCode::package_malformed, "the crate is no gzipped tar");
  }
}

}  // namespace

std::string crate_file_name(std::string_view name, std::string_view version) {
  return fmt::format("{}-{}.crate", name, version);
}

CrateContent check_crate(int fd, std::string_view name, std::string_view version, TarLimits limits) {
  check_is_gzip(fd);
  const auto top = fmt::format("{}-{}", name, version);
  const auto manifest_name = top + "/Cargo.toml";
  CrateContent out;
  std::optional<std::string> manifest;
  bool has_build_rs = false;
  std::unordered_set<std::size_t> seen;  // hashes: what is equal has an equal one, and long names cost nothing
  read_tar(fd, "the crate", limits, [&](const TarEntry& entry) -> TarSink {
    if (entry.name == top && entry.is_folder) return {};
    const auto refuse = [&](ErrorCode code, std::string_view why) {
      fail(code, "the crate has an entry '{}' that {}", printable(entry.name.substr(0, 200)), why);
    };
    if (!entry.name.starts_with(top + "/")) refuse(ErrorCode::path_unsafe, "is outside of its folder " + top);
    if (!seen.insert(std::hash<std::string>()(entry.name)).second) refuse(ErrorCode::path_collision, "is there twice");
    const auto below = std::string_view(entry.name).substr(top.size() + 1);
    if (below == ".cargo-ok" || below == ".cargo-checksum.json") {
      refuse(ErrorCode::package_malformed, "cargo writes itself when it unpacks a crate");
    }
    if (to_lower(below) == "build.rs" && !entry.is_folder) has_build_rs = true;
    if (entry.name != manifest_name) {
      if (to_lower(below) == "cargo.toml") refuse(ErrorCode::path_collision, "is a second Cargo.toml in other letters");
      out.files += entry.is_folder ? 0 : 1;
      out.unpacked_size += entry.size;
      return {};
    }
    if (entry.is_folder) refuse(ErrorCode::package_malformed, "is a folder");
    if (entry.size > k_max_manifest) refuse(ErrorCode::limit_exceeded, "is too large");
    out.files += 1;
    out.unpacked_size += entry.size;
    manifest.emplace();
    return [&](std::span<const std::uint8_t> bytes) { *manifest += as_text(bytes); };
  });
  if (!manifest) fail(ErrorCode::package_malformed, "the crate has no {}", printable(manifest_name));
  out.manifest = parse_manifest(*manifest);
  out.has_build_script = out.manifest.has_build_script || (out.manifest.may_have_build_script && has_build_rs);
  if (out.manifest.name != name || out.manifest.version != version) {
    fail(ErrorCode::package_malformed, "the crate is of {} {}, its name says {} {}", out.manifest.name,
         out.manifest.version, printable(name), printable(version));
  }
  return out;
}

}  // namespace liftlock::cargo
