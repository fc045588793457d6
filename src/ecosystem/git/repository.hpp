// High side: bare repositories made from bundles, for git to serve. They are a cache: what is missing is made anew from
// the store, and nothing in them is ours but their configuration. Layout: docs/formats/git.md.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "os/file.hpp"
#include "os/sandbox.hpp"
#include "store/blob_store.hpp"

namespace liftlock::git {

/// One bundle, and the default branch that a clone checks out.
struct RepositorySource {
  Digest bundle;
  std::string head;  ///< one of the bundle's refs
};

/// How git is run here: in a sandbox (os/sandbox.hpp) without a network and without any configuration but ours.
/// @param repository shown as /repository, read-only
/// @throws Error{tool_missing} when git is not installed below /usr
SandboxSpec sandbox_for_git(std::vector<std::string> arguments, int repository);

/// What git said on its standard error, for people. Empty when nothing.
std::string last_words(const fs::path& log);

class Repositories {
 public:
  /// @param folder below the installation's state; made when missing
  /// @param blobs must outlive this object
  Repositories(fs::path folder, const BlobStore& blobs);

  /// A descriptor of the repository's folder. Makes it first where it is missing, which another process may be doing: a
  /// git of its own indexes the pack and checks every object (index-pack --strict --fsck-objects); then the folder
  /// appears whole. Runs on the worker's thread without blocking it for long.
  /// @throws Error{package_malformed} when git refuses the pack: remembered as long as this object lives; Error{busy,
  ///         not_found, tool_missing, sandbox_unavailable, disk_full}
  boost::asio::awaitable<std::shared_ptr<const UniqueFd>> open(RepositorySource source);

  /// Removes repositories of other bundles that nobody asked for within a day.
  void forget_all_but(const std::set<Digest>& bundles) const;

 private:
  fs::path place(const Digest& bundle) const;
  boost::asio::awaitable<void> make(const RepositorySource& source);
  void refuse(const Digest& bundle, const Error& why);

  const fs::path m_folder;
  const BlobStore& m_blobs;
  std::mutex m_mutex;
  std::map<Digest, Error> m_refused;
};

}  // namespace liftlock::git
