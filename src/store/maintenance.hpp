// Keeping the store small and sound while it serves: gc, scrub, export. Protocols: docs/formats/store.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"
#include "base/reporter.hpp"
#include "os/file.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock {

struct SizedDigest {
  Digest digest;
  std::uint64_t size = 0;
};

/// Space that is kept for gc: on a full disk even the entry in the audit log that comes before the removal needs some.
/// Allocates it where the disk has room; without room there is no reserve, and no error.
void keep_gc_reserve(const fs::path& store) noexcept;
/// Gives the reserve free for as long as the object lives.
class GcReserve {
 public:
  explicit GcReserve(fs::path store);
  ~GcReserve();
  GcReserve(const GcReserve&) = delete;
  GcReserve& operator=(const GcReserve&) = delete;

 private:
  fs::path m_store;
};

/// Blobs that nothing references or pins at this moment, sorted. Nothing is removed.
std::vector<SizedDigest> find_garbage(const BlobStore& store, const Catalog& catalog);

/// Removes those of the blobs that nothing references or pins when their turn comes, a few hundred in one hold of the
/// catalog's write lock: publishers and pins wait for milliseconds, readers never. Returns what was removed.
std::vector<SizedDigest> remove_garbage(BlobStore& store, Catalog& catalog, const std::vector<SizedDigest>& garbage);

/// Batches that no process works on and that nobody touched since `before`, pins without a batch as old, and lists of
/// references as old of which nothing is referenced or pinned.
struct Abandoned {
  Timestamp before;
  std::vector<WaitingBatch> batches;
  std::vector<PinSummary> pins;
  std::vector<References::List> lists;
};
Abandoned find_abandoned(const BlobStore& store, const Catalog& catalog, Timestamp before);
/// Discards those batches and drops their pins. What a process holds (lock_batch) is left alone, and so is each pin
/// that was renewed since `before`: a run may have taken it up since the look.
void remove_abandoned(BlobStore& store, Catalog& catalog, const Abandoned& abandoned);

/// One thing that scrub found.
struct ScrubFinding {
  enum class Kind : std::uint8_t {
    corrupt,     ///< the bytes are not what the name says
    unreadable,  ///< the disk refused to read them
    missing,     ///< a live publication or set references it, and it is not there
    wrong_size,  ///< the bytes fit the name, the catalog expects another size: the catalog is damaged
    stray,       ///< a file between the blobs that is none
  };
  Kind kind;
  std::string subject;             ///< digest, or the path of a stray
  std::vector<std::string> users;  ///< what is harmed (Catalog::users_of)
  std::string detail;
  std::string quarantined_at;  ///< path; empty when it was left in place
};
std::string_view name(ScrubFinding::Kind kind);

struct ScrubReport {
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;
  std::vector<ScrubFinding> findings;  ///< sorted by kind and subject
};

enum class Quarantine : std::uint8_t { no, yes };

/// Reads every blob from the disk (pages that the kernel had cached are dropped first, where it allows that) on all
/// cores and compares. With Quarantine::yes corrupt and unreadable blobs move to quarantine/.
ScrubReport scrub(BlobStore& store, const Catalog& catalog, Quarantine quarantine, Reporter& reporter);

/// How exported files are named below the folder.
enum class ExportLayout : std::uint8_t {
  flat,       ///< without the folders that all files of the artifact share
  below_top,  ///< without the first folder of a bundle (images/)
  bundle,     ///< by their paths in a bundle, so that several exports make a tree that ordinary tools read
};

struct ExportedFile {
  fs::path path;
  std::uint64_t size = 0;
  Digest digest;
};

/// Writes the artifact's files below the folder as plain files of their own (reflinks where the file system has them,
/// else copies; never hard links), each checked against its digest before it gets its name, and durable at the end.
/// Files that are there already with the right bytes stay.
/// @throws Error{not_fetched} when a blob is missing, Error{blob_corrupt}, Error{immutable} when other bytes stand
/// there
std::vector<ExportedFile> export_artifact(const BlobStore& store, const Artifact& artifact, const fs::path& folder,
                                          ExportLayout layout, Reporter& reporter);

}  // namespace liftlock
