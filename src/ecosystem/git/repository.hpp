// High side: bare repositories made from bundles, for git to serve. They are a cache: what is missing is made anew from
// the store, and nothing in them is ours but their configuration. Layout: docs/formats/git.md.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <set>
#include <string>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "net/http.hpp"
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
  /// Tidies the folder meanwhile (tidy_repositories()).
  /// @param folder below the installation's state; made when there is something to keep in it
  /// @param blobs must outlive this object
  /// @param kept the bundles that are published
  Repositories(fs::path folder, const BlobStore& blobs, const std::set<Digest>& kept);

  /// A descriptor of the repository's folder; nullptr where it is not made yet, or not whole. Any thread.
  std::shared_ptr<const UniqueFd> find(const Digest& bundle) const;

  /// The same; where it is missing it is made first (make_repository()), and the caller waits for ten minutes at most:
  /// the making goes on without it. At most 64 wait in this process.
  /// @throws Error{package_malformed, tool_failed, not_found, tool_missing, sandbox_unavailable, disk_full, overloaded}
  boost::asio::awaitable<std::shared_ptr<const UniqueFd>> open(RepositorySource source) const;

 private:
  const fs::path m_folder;
  const BlobStore& m_blobs;
};

/// What info/refs answers. @param protocol 0, 1, 2 @param repository as find() gives it
HttpResponse advertisement(int repository, int protocol);

}  // namespace liftlock::git
