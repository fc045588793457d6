// Both sides: is an artifact what it claims to be, and safe to hand on? Runs in a process with no network and no write
// access, on read-only descriptors; a crash there is a refusal here.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/error.hpp"

namespace liftlock {

struct Finding {
  ErrorCode code;
  std::string path;     ///< the file of the artifact
  std::string message;  ///< printable
};

struct Inspection {
  std::vector<Finding> findings;  ///< empty: accepted
  Json facts = Json::object();  ///< what was learnt (GGUF architecture, wheel metadata …), shown by inspect and show
};

/// Of files that were inspected by themselves.
using FileInspections = std::map<Digest, Inspection>;

class Inspector {
 public:
  virtual ~Inspector() = default;
  /// The kinds this inspector answers for.
  virtual std::span<const std::string_view> kinds() const = 0;
  /// Does inspect() look into artifact.files[index]? What it does not read is never opened for it.
  virtual bool reads(const Artifact& artifact, std::size_t index) const;
  /// @param files one read-only descriptor per artifact.files, in that order, -1 for what it does not read; their
  ///        digests were checked
  /// Malformed content is a Finding; what it throws becomes one.
  virtual Inspection inspect(const Artifact& artifact, std::span<const int> files) const = 0;

  /// Is artifact.files[index], one that it reads, inspected by its bytes alone? Then inspect_file() gets it once,
  /// however many artifacts share it, and inspect_rest() gets what that said.
  virtual bool stands_alone(const Artifact& artifact, std::size_t index) const;
  /// Depends on nothing but the bytes, for it may be remembered by their digest. What the file is may be known to the
  /// artifact only: findings count where inspect_rest() says so. What it throws becomes a finding.
  virtual Inspection inspect_file(int file) const;
  /// inspect(), with what is known of files that stand alone.
  virtual Inspection inspect_rest(const Artifact& artifact, std::span<const int> files,
                                  const FileInspections& inspected) const;
};

inline bool Inspector::reads(const Artifact&, std::size_t) const {
  return true;
}
inline bool Inspector::stands_alone(const Artifact&, std::size_t) const {
  return false;
}
inline Inspection Inspector::inspect_file(int) const {
  return {};
}
inline Inspection Inspector::inspect_rest(const Artifact& artifact, std::span<const int> files,
                                          const FileInspections&) const {
  return inspect(artifact, files);
}

}  // namespace liftlock
