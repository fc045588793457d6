#include "ecosystem/npm/inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "ecosystem/npm/integrity.hpp"
#include "ecosystem/npm/package_name.hpp"
#include "ecosystem/npm/tarball.hpp"

namespace liftlock::npm {
namespace {

constexpr std::array<std::string_view, 1> k_kinds{k_kind};
constexpr std::size_t k_shown = 2000;

/// Foreign text for people: printable, UTF-8, not endless.
std::string shown(std::string_view text) {
  auto out = printable(text.substr(0, k_shown));
  while (!is_utf8(out)) out.pop_back();
  return out;
}

Json facts_of(const Tarball& tarball, const TarballDigests& digests) {
  const auto& package = tarball.package;
  auto manifest = package.manifest;
  if (!package.install_scripts.empty()) manifest["hasInstallScript"] = true;
  if (tarball.has_shrinkwrap) manifest["_hasShrinkwrap"] = true;
  Json facts = {{"manifest", std::move(manifest)},
                {"integrity", digests.integrity},
                {"shasum", digests.shasum},
                {"files", tarball.files},
                {"unpacked_size", tarball.unpacked_size}};
  for (const auto& [name, command] : package.install_scripts) facts["install_scripts"][name] = shown(command);
  return facts;
}

void check(const Artifact& artifact, int fd, Json& facts) {
  if (artifact.files.size() != 1 || artifact.files[0].path.text() != path_in_bundle(artifact.name, artifact.version)) {
    fail(ErrorCode::package_malformed, "a package has one file, '{}'", path_in_bundle(artifact.name, artifact.version));
  }
  const auto tarball = read_tarball(fd);
  const auto& package = tarball.package;
  if (package.name != artifact.name || package.version != artifact.version) {
    fail(ErrorCode::package_malformed, "package.json is that of {}@{}, the artifact is {}", package.name,
         package.version, printable(artifact.id()));
  }
  facts = facts_of(tarball, tarball_digests(fd));
  if (artifact.facts.empty()) return;
  for (const auto& [key, value] : facts.items()) {
    const auto stated = artifact.facts.find(key);
    if (stated == artifact.facts.end() || *stated != value) {
      fail(ErrorCode::package_malformed, "the artifact's fact '{}' is not that of the tarball", key);
    }
  }
  if (!facts.contains("install_scripts") && artifact.facts.contains("install_scripts")) {
    fail(ErrorCode::package_malformed, "the artifact states install scripts that the tarball does not have");
  }
}

}  // namespace

std::span<const std::string_view> PackageInspector::kinds() const {
  return k_kinds;
}

Inspection PackageInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  try {
    check(artifact, files[0], out.facts);
  } catch (const Error& error) {
    out.findings.push_back({error.code(), artifact.files[0].path.text(), printable(error.what())});
  }
  return out;
}

std::string path_in_bundle(std::string_view name, std::string_view version) {
  return fmt::format("packages/npm/{}/{}", name, tarball_name(name, version));
}

}  // namespace liftlock::npm
