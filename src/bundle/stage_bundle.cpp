#include "bundle/stage_bundle.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

void check(const FileEntry& file, const Digest& actual) {
  if (actual != file.digest) {
    fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}", file.path.text(), actual.text(), file.digest.text());
  }
}

void check_stored(const BlobStore& store, const Digest& digest, const std::string& path) {
  const auto stored = store.open(digest);
  if (sha256_of_file(stored.get(), path) != digest) {
    fail(ErrorCode::blob_corrupt, "the store's own copy of '{}' has rotted", path);
  }
}

}  // namespace

Staged stage_content(const BundleReader& bundle, std::vector<std::size_t> wanted, const StagingPlace& place,
                     Reporter& reporter) {
  const auto& files = bundle.files();
  std::stable_sort(wanted.begin(), wanted.end(), [&](auto a, auto b) { return files[a].size > files[b].size; });
  Staged out{.files = wanted.size(), .bytes = 0, .new_blobs = 0};
  for (const auto i : wanted) out.bytes += files[i].size;
  std::unordered_set<Digest> claimed;
  std::mutex mutex;
  std::atomic<std::size_t> new_blobs{0};
  ProgressTask progress(reporter, "ingest", Unit::bytes, out.bytes);
  const auto advance = [&](std::uint64_t done) { progress.advance(done); };
  parallel_for(wanted.size(), [&](std::size_t i) {
    const auto& file = files[wanted[i]];
    thread_local std::vector<std::uint8_t> memory;
    const auto small = bundle.read_small(wanted[i], memory);
    const auto range = small ? ContentRange() : bundle.open_content(wanted[i]);
    const bool first = [&] {
      const std::lock_guard lock(mutex);
      return claimed.insert(file.digest).second;
    }();
    // What was absent before the pins may be here by now, and is written once more; what was here may be gone.
    const bool stored = first && !place.absent.contains(file.digest) && place.store.contains(file.digest);
    if (!first || stored || place.staged.is_sealed(file.digest)) {
      // Nothing to write; but a bundle whose file differs from its list is refused all the same, and so is a store
      // whose own copy has rotted.
      if (stored) check_stored(place.store, file.digest, file.path.text());
      check(file,
            small ? sha256(*small) : sha256_of_range(range.fd, range.offset, file.size, file.path.text(), advance));
      if (small) advance(file.size);
      return;
    }
    if (small) check(file, sha256(*small));
    const auto part = place.staged.create(file.digest);
    if (small) {
      write_all(part.get(), *small, file.path.text());
      advance(file.size);
    } else {
      check(file, copy_hashed(range.fd, range.offset, part.get(), file.size, file.path.text(), advance));
    }
    place.staged.seal(file.digest, file.digest);
    ++new_blobs;
  });
  out.new_blobs = new_blobs;
  return out;
}

Staged stage_remote(RemoteBundle& remote, const std::vector<FileEntry>& content, const StagingPlace& place,
                    Reporter& reporter) {
  Staged out{.files = content.size(), .bytes = 0, .new_blobs = 0};
  std::unordered_set<Digest> seen;
  std::vector<FileEntry> stored, lacking;
  for (const auto& file : content) {
    out.bytes += file.size;
    if (!seen.insert(file.digest).second || place.staged.is_sealed(file.digest)) continue;
    const bool is_here = !place.absent.contains(file.digest) && place.store.contains(file.digest);
    (is_here ? stored : lacking).push_back(file);
  }
  parallel_for(stored.size(), [&](std::size_t i) {
    const auto& file = stored[i];
    check_stored(place.store, file.digest, file.path.text());
    // Of what comes from the peer this is compared on its way.
    if (const auto size = place.store.size(file.digest); size != file.size) {
      fail(ErrorCode::size_mismatch, "'{}' has {} bytes instead of {}", file.path.text(), size.value_or(0), file.size);
    }
  });
  std::uint64_t to_come = 0;
  for (const auto& file : lacking) to_come += file.size - std::min(file.size, place.staged.part_size(file.digest));
  ProgressTask progress(reporter, "take from the peer", Unit::bytes, to_come);
  remote.stage(lacking, place.staged, [&](std::uint64_t done) { progress.advance(done); });
  for (const auto& file : lacking) {
    if (!place.staged.is_sealed(file.digest)) fail(ErrorCode::internal, "'{}' was not staged", file.path.text());
  }
  out.new_blobs = lacking.size();
  return out;
}

ArtifactFile stage_bytes(const StagingPlace& place, const std::string& path, const std::string& bytes) {
  const auto digest = sha256(bytes);
  if (!place.staged.is_sealed(digest) && place.store.contains(digest)) {
    check_stored(place.store, digest, path);
  } else if (!place.staged.is_sealed(digest)) {
    const auto part = place.staged.create(digest);
    write_all(part.get(), bytes, path);
    place.staged.seal(digest, digest);
  }
  return {.path = RelPath::parse(path), .size = bytes.size(), .digest = digest, .origin = {}, .evidence = {}};
}

void say_what_was_left(const BlobStore& store, const std::string& batch, Reporter& reporter) {
  constexpr std::size_t k_most = 2 * bundle_limits::k_files;
  const auto folder = store.folder() / "staging" / batch;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  try {
    for (const auto& file : walk(folder, k_most)) {
      if (!S_ISREG(file.status.st_mode) || !Digest::try_parse("sha256:" + file.path)) continue;
      ++files;
      bytes += static_cast<std::uint64_t>(file.status.st_size);
    }
  } catch (const Error&) {
    return;  // it only tells: who goes on with the batch meets what is wrong, another run that works on it among that
  }
  if (files == 0) return;
  reporter.note(
      fmt::format("an earlier run left {} ({}): what of it is whole is kept, once it was read and hashed again",
                  counted(files, "file"), format_size(bytes)));
}

}  // namespace liftlock
