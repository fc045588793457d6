#include "ecosystem/npm/tarball.hpp"

#include <optional>

#include "archive/one_reading.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::npm {
namespace {

/// Unpacked; nearly every package is smaller, and two readers go through it.
constexpr std::size_t k_kept = 32u << 20;

}  // namespace

Tarball read_tarball(int fd, const TarLimits& limits) {
  Tarball out;
  std::optional<std::string> package_json;
  bool has_gyp = false;
  TarFile file(fd, "tarball");
  file.keep_if_small(k_kept);
  const auto tar = read_package_tar(
      file, "tarball", limits,
      [](std::string_view name) { return name == "package.json" ? k_max_package_json : std::size_t{0}; },
      [&](std::string_view name, std::string content) {
        const auto folded = to_lower(name);
        if (folded == "package.json" && name != folded) {
          fail(ErrorCode::path_collision, "'{}' is package.json where case does not count", printable(name));
        }
        if (name == "package.json") package_json = std::move(content);
        if (name == "npm-shrinkwrap.json") out.has_shrinkwrap = true;
        if (name == "binding.gyp") has_gyp = true;
      });
  // npm unpacks it with a reader of its own.
  require_one_reading(file, "the tarball", limits);
  if (!package_json) fail(ErrorCode::package_malformed, "the tarball has no package.json in its folder");
  out.package = parse_package_json(*package_json);
  out.files = tar.files;
  out.unpacked_size = tar.unpacked_size;
  auto& scripts = out.package.install_scripts;
  if (has_gyp && !scripts.contains("install") && !scripts.contains("preinstall")) {
    scripts["install"] = "node-gyp rebuild";
  }
  return out;
}

}  // namespace liftlock::npm
