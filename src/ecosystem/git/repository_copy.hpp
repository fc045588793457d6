// Low side: a bare repository with what the stack wants of an upstream, and nothing else: what the bundle is made of,
// and what is asked about submodules and files of Git LFS.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "ecosystem/git/git_program.hpp"
#include "ecosystem/git/lfs_pointer.hpp"
#include "ecosystem/git/upstream.hpp"
#include "os/file.hpp"

namespace liftlock::git {

/// One bundle as the stack and the upstream have it.
struct Wanted {
  std::string source;  ///< what git is told: a URL, or an absolute path
  Selection selection;
};

struct Submodule {
  std::string path, url, commit;
  auto operator<=>(const Submodule&) const = default;
};

/// A file that a pointer stands for.
struct LfsFile {
  std::uint64_t size = 0;
  std::string path;  ///< of a pointer at a ref that was taken; empty: only their history has one
};

struct LfsWanted {
  std::uint64_t pointers = 0;       ///< blobs that are one
  std::map<Digest, LfsFile> files;  ///< without those of no bytes, which nobody asks a server for
  /// Why they cannot all be taken: package_malformed where two pointers give one file two sizes; limit_exceeded, and
  /// then some are not here.
  std::optional<Error> trouble;
};

class RepositoryCopy {
 public:
  /// Makes an empty one. @param git must outlive this object @param folder the copy is a folder in it
  RepositoryCopy(const GitProgram& git, const fs::path& folder);

  /// The exact objects, whatever the names mean by now. @throws Error{tool_failed}
  void fetch(const Wanted& wanted);

  /// Of the newest commit or tag that a ref names.
  Timestamp newest() const;

  /// Equal commits give equal bytes, as long as git and its zlib are the same.
  void write_bundle(const Selection& selection, const fs::path& out) const;

  /// Those that HEAD and some of the refs name. Includes in .gitmodules and .lfsconfig are not followed.
  std::set<Submodule> submodules(const Selection& selection) const;

  /// All that a pointer in the history of the refs stands for. Needs git 2.32. @param most pointers that are kept
  /// @throws Error{tool_failed}
  LfsWanted lfs_files(const Selection& selection, std::size_t most = k_max_lfs_pointers) const;

  /// lfs.url of the .lfsconfig that HEAD has. @throws Error{tool_failed, limit_exceeded}
  std::optional<std::string> lfs_url(const Selection& selection) const;

 private:
  std::string run(std::vector<std::string> arguments, const std::string& input = {}) const;
  std::string commit_of(const std::string& ref) const;
  std::set<std::string> searched_commits(const Selection& selection) const;
  void check_objects() const;
  std::uint64_t pack_bytes() const;
  void submodules_of(const std::string& commit, std::set<Submodule>& out) const;
  void name_lfs_files(const std::map<std::string, Digest>& pointers, const Selection& selection, LfsWanted& out) const;

  const GitProgram& m_git;
  fs::path m_folder;
};

}  // namespace liftlock::git
