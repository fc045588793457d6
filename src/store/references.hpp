// Blobs that the store keeps no copy of: the low side's own files, and by what they are known to be what they were.
// Format: docs/formats/store.md, "References".
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

/// A file that has this is, as far as the file system tells, the file that had it. No proof: whoever needs one hashes.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< nanoseconds since 1970, as all times here
  std::int64_t changed = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const struct stat& status);

struct Reference {
  Digest digest;
  fs::path file;  ///< absolute, no link at its end
  FileIdentity identity;
};

/// @throws Error{upstream_changed} that names the file and says what to do
[[noreturn]] void fail_changed(const Reference& reference);

/// All lists of references of a store, read once, at the first question: what other processes add later is not seen,
/// and does no harm, for what is not known here is only fetched once more. All members may be called from several
/// threads.
class References {
 public:
  /// @param folder need not exist
  explicit References(fs::path folder) : m_folder(std::move(folder)) {}

  /// One whose file is what it was, if there is any. @throws Error{store_invalid} when a list is damaged
  std::optional<Reference> live(const Digest& digest) const;
  /// The file, checked once it is open. nullopt when nothing refers to a file for this digest.
  /// @throws Error{upstream_changed} when none of the files is what it was; Error{io_error} when none could be used and
  /// one could not be opened for another reason
  std::optional<UniqueFd> open(const Digest& digest) const;
  /// One of them, whatever became of its file.
  std::optional<Reference> any(const Digest& digest) const;

  /// Adds to a list, and drops from it what is no longer what it was. Durable; the caller holds lock_batch() of its
  /// name. A path with a line break cannot be written down: Error{internal}.
  void add(std::string_view list, const std::vector<Reference>& references);

  struct List {
    std::string name;
    Timestamp touched;
    std::vector<Digest> digests;
  };
  std::vector<List> lists() const;
  /// Absent is fine.
  void remove(std::string_view list);

 private:
  void load() const;
  fs::path path_of(std::string_view list) const;

  fs::path m_folder;
  mutable std::mutex m_mutex;
  mutable bool m_loaded = false;
  mutable std::unordered_multimap<Digest, Reference> m_known;
};

}  // namespace liftlock
