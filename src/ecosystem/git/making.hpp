// High side: how a repository is made from its bundle, on threads of this process' own: at most two at a time, whoever
// asked, and to their end, whoever leaves meanwhile. The rest wait in turn.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::git {

struct MakingOrder {
  fs::path folder;  ///< of all repositories; made when missing
  Digest bundle;
  std::string head;  ///< one of the bundle's refs
  UniqueFd file;     ///< the bundle
};

/// What became of an order. Shared with the thread that makes it.
class Making {
 public:
  bool done() const { return m_done; }
  /// Once done(): why there is no repository.
  const std::optional<Error>& failed() const { return m_failed; }

  void finish(std::optional<Error> failed) {
    m_failed = std::move(failed);
    m_done = true;
  }

 private:
  std::optional<Error> m_failed;  ///< before m_done
  std::atomic<bool> m_done = false;
};

fs::path place_of(const fs::path& folder, const Digest& bundle);

/// Is it whole, with what info/refs answers? Another version's, or half a one that somebody copied, is not.
bool is_made(int repository);

/// What the two protocols' first question is answered with, in a repository's folder. @param protocol 0, 1, 2
std::string advertisement_name(int protocol);

/// Joins the same order where it waits or is worked on. A git of its own indexes the pack and checks every object
/// (index-pack --strict --fsck-objects), another one writes the advertisements; then the folder appears whole.
/// What git says is wrong with the pack is remembered as long as this process lives, whatever else went wrong for half
/// a minute, and is the answer at once. Any thread.
/// The outcome is Error{package_malformed, tool_failed, tool_missing, sandbox_unavailable, disk_full, overloaded, …}.
std::shared_ptr<const Making> make_repository(MakingOrder order);

/// Removes, on one of those threads, what killed servers left half made, and the repositories that are neither kept nor
/// were asked for within a day. Never throws: what stays is removed another time.
void tidy_repositories(const fs::path& folder, const std::set<Digest>& kept) noexcept;

/// Is it the pack that git refused, by git's own words? If not, git itself failed: it had no memory, no disk, no
/// thread.
bool blames_the_pack(std::string_view words);

}  // namespace liftlock::git
