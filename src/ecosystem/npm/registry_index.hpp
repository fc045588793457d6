// What the mirror has of npm packages, and the documents about them: docs/formats/npm.md.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "ecosystem/npm/package_name.hpp"
#include "ecosystem/route.hpp"

namespace liftlock::npm {

struct MirroredVersion {
  ArtifactFile file;
  Json manifest;  ///< of the artifact's facts
  std::string integrity, shasum, deprecated;
  std::uint64_t files = 0, unpacked_size = 0;
  Timestamp published;
};

/// One package.
class MirroredPackage {
 public:
  void add(const Version& version, MirroredVersion content);

  /// The version of a dist-tag: "latest" is the highest that is no prerelease, else the highest. Empty when unknown.
  std::string version_of_tag(std::string_view tag) const;
  Json dist_tags() const;
  const MirroredVersion* find(std::string_view version) const;
  /// By the file name of its tarball.
  const MirroredVersion* find_tarball(std::string_view filename) const;

  /// The packument. The abbreviated form (application/vnd.npm.install-v1+json) has what installing needs.
  enum class Form { full, abbreviated };
  /// @param registry the mirror's own address, with a '/' at its end: tarballs are below it
  Json packument(std::string_view name, Form form, std::string_view registry) const;
  /// One version of it.
  Json manifest(const MirroredVersion& version, Form form, std::string_view registry) const;
  Timestamp modified() const;

 private:
  std::map<Version, MirroredVersion> m_versions;
};

/// By name; sorted, so that equal views give equal documents.
using Packages = std::map<std::string, MirroredPackage, std::less<>>;

/// The artifacts of kind "npm" of a view; of two contents under one name and version the newer publication's counts.
Packages packages_of(const MirrorView& view);

}  // namespace liftlock::npm
