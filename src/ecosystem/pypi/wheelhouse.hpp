// A wheelhouse: a folder of wheels that pip installs from without an index (`pip install --no-index --find-links`).
// (X5, X6, X15)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ecosystem/pypi/closure.hpp"
#include "ecosystem/pypi/wheel_target.hpp"

namespace liftlock {

struct HousedWheel {
  std::string filename;
  WheelFilename name;
  CoreMetadata metadata;
};

/// A project, or a version of one, that the wheelhouse lacks.
struct MissingProject {
  std::string name;    ///< normalised
  std::string reason;  ///< "nothing here is called idna", "only for other targets: idna-3.4-cp39-…whl"
  struct Want {
    std::string by;           ///< "requests 2.31"; empty: the question itself
    std::string requirement;  ///< as written
    bool operator==(const Want&) const = default;
  };
  std::vector<Want> wanted;
};

struct WheelhouseReport {
  std::vector<std::string> unfit;       ///< file names of wheels that the target does not take
  std::vector<MissingProject> missing;  ///< sorted by name
  /// What keeps a wheel from being installed and is no missing project: Requires-Python, an unreadable requirement.
  struct Obstacle {
    std::string by;
    std::string requirement;
    std::string reason;
  };
  std::vector<Obstacle> obstacles;
  unsigned glibc = 0;       ///< the minor version of the glibc 2 that the target needs at least; 0: any
  std::string glibc_wheel;  ///< that needs it

  bool complete() const { return missing.empty() && obstacles.empty(); }
};

/// Does everything here install on the target, and these requirements ("uvicorn[standard]") besides?
/// @param sdists file names of source distributions, which are named where they would have to stand in
WheelhouseReport check_wheelhouse(const std::vector<HousedWheel>& wheels, const std::vector<std::string>& sdists,
                                  const std::vector<std::string>& requirements, const WheelTarget& target);

/// Where a file of an archive came to lie.
struct UnpackedFile {
  std::string name;  ///< the last component of its path, which is safe; raw bytes
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct WheelhouseArchiveLimits {
  std::uint64_t entries = 100'000;
  std::uint64_t ratio = 50;  ///< wheels are compressed already
  std::uint64_t free_size = 64u << 20;
};

/// Writes the wheels and sdists of a tar (gzipped or not), wherever they stand in it, one after the other to `out`.
/// @throws Error{package_malformed, path_collision, not_regular, limit_exceeded}
std::vector<UnpackedFile> unpack_wheelhouse(int archive, int out, WheelhouseArchiveLimits limits = {});

/// Does pip take a file of this name for a wheel or a source distribution?
bool is_wheel_name(std::string_view filename);
bool is_sdist_name(std::string_view filename);

}  // namespace liftlock
