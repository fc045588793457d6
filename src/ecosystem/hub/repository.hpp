// How models and data sets that crossed are called as repositories of a Hugging Face Hub: docs/formats/hub.md. No I/O.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "artifact/artifact.hpp"
#include "base/clock.hpp"

namespace liftlock::hub {

/// The owner under whom models stand that came from no Hub: "local/NAME".
inline constexpr std::string_view k_local_owner = "local";

/// "ORG/NAME" or "NAME": letters, digits, '_', '-' and '.', parts of at most 96 bytes that begin with none of "-.".
bool is_repository(std::string_view text);

/// Where a model stands. Facts that are none are not believed: then it is one of the site's own.
struct Place {
  std::string repository;
  std::string commit;                   ///< 40 hexadecimal digits; of the site's own those of a SHA-256 over all files
  std::optional<std::string> revision;  ///< the tag or branch that the stack asked for, when it was neither of both
};
Place place_of(const Artifact& model);

/// "models/NAME/a/b" → "a/b": where a file of a model, or of a data set, stands in it.
std::string_view path_in_model(const ArtifactFile& file);

/// One file of a snapshot.
struct File {
  ArtifactFile file;
  /// Its name in the caches of clients: git's name where the Hub stated it, else the SHA-256, as of a file of Git LFS.
  std::string blob_name;
  bool is_lfs() const { return blob_name.size() == 64; }
};
/// The files of a model by their paths in the repository.
std::map<std::string, File> files_of(const Artifact& model);

/// One commit. Models that were taken from it with different patterns are one snapshot.
struct Snapshot {
  std::map<std::string, File, std::less<>> files;
  std::string license;
  Timestamp published_at;
};

class Repository {
 public:
  /// Later calls are of later publications: `main` is the last one's, and a file that two of one commit disagree about
  /// is the last one's too.
  void add(const Artifact& model, const Place& place, Timestamp published_at);

  struct Found {
    std::string_view commit;
    const Snapshot* snapshot;
  };
  /// By commit, "main", a version or a revision of the stack.
  std::optional<Found> find(std::string_view revision) const;
  const std::map<std::string, Snapshot, std::less<>>& snapshots() const { return m_snapshots; }
  /// Names other than "main", with their commits.
  const std::map<std::string, std::string, std::less<>>& tags() const { return m_tags; }

 private:
  std::map<std::string, Snapshot, std::less<>> m_snapshots;
  std::map<std::string, std::string, std::less<>> m_tags;
  std::string m_main;
  bool m_from_bundle = false;  ///< m_main is of a bundle, which no import moves
};

}  // namespace liftlock::hub
