#include "intake/staging.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

void check_stored(const BlobStore& store, const Digest& digest, const std::string& shown) {
  if (sha256_of_file(store.open(digest).get(), shown) != digest)
    fail(ErrorCode::blob_corrupt, "the store's own copy of '{}' has rotted", shown);
}

void require_stated(const WantedFile& file, const Digest& digest) {
  if (!file.stated || digest == *file.stated) return;
  fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}, which {} states", printable(file.path), digest.text(),
       file.stated->text(), file.stated_by);
}

std::uint64_t size_of(const Found& found) {
  std::uint64_t sum = 0;
  for (const auto& one : found.files) sum += one.tree->size(one.path);
  return sum;
}

}  // namespace

const Digest& Staging::digest(const Tree& tree, std::string_view path) const {
  const auto found = m_digests.find({&tree, std::string(path)});
  if (found == m_digests.end()) fail(ErrorCode::not_found, "'{}' was not taken in", printable(path));
  return found->second;
}

Digest Staging::keep(std::string_view document) {
  const auto digest = sha256(document);
  if (m_staged.has(digest)) return digest;
  const auto part = m_staged.create(digest);
  write_all(part.get(), document, "a document");
  m_staged.seal(digest, digest);
  return digest;
}

Digest Staging::make(const std::function<void(int out)>& write) {
  const auto part = fmt::format("made-{}", m_made++);
  const auto out = m_staged.create_named(part);
  write(out.get());
  const auto digest = sha256_of_file(out.get(), part);
  m_staged.seal_named(part, digest);
  return digest;
}

void Staging::note(const WantedFile& file, const Digest& digest) {
  const std::lock_guard lock(m_mutex);
  m_digests.emplace(std::make_pair(file.tree.get(), file.path), digest);
}

Digest Staging::take_file(const WantedFile& file, std::size_t number, const BlobStore& store,
                          const std::function<void(std::uint64_t)>& advance) {
  const auto range = file.tree->open(file.path);
  const auto shown = printable(file.path);
  if (const auto done = m_before(range)) {
    advance(range.size);
    return *done;
  }
  if (file.stated && m_staged.has(*file.stated)) {
    if (store.contains(*file.stated)) check_stored(store, *file.stated, shown);
    return sha256_of_range(range.fd, range.offset, range.size, shown, advance);
  }
  const auto part = fmt::format("file-{}", number);
  const auto out = m_staged.create_named(part);
  const auto copied = copy_hashed(range.fd, range.offset, out.get(), range.size, shown, advance);
  if (!file.stated || *file.stated == copied) m_staged.seal_named(part, copied);
  return copied;
}

void Staging::take(const Found& found, const BlobStore& store, Reporter& reporter) {
  ProgressTask progress(reporter, "extract and verify", Unit::bytes, size_of(found));
  const auto advance = [&](std::uint64_t done) { progress.advance(done); };
  parallel_for(found.files.size(), [&](std::size_t i) {
    const auto& file = found.files[i];
    const auto digest = take_file(file, i, store, advance);
    require_stated(file, digest);
    note(file, digest);
  });
  for (const auto& file : found.checked) {
    const auto range = file.tree->open(file.path);
    const auto done = m_before(range);
    const auto digest = done ? *done : sha256_of_range(range.fd, range.offset, range.size, printable(file.path), {});
    require_stated(file, digest);
    note(file, digest);
  }
}

void Staging::require_room_for(const Found& found, const BlobStore& store, std::uint64_t reserve) const {
  std::uint64_t needed = 0;
  for (const auto& file : found.files) {
    const bool is_here = (file.stated && store.contains(*file.stated)) || m_before(file.tree->open(file.path));
    if (!is_here) needed += file.tree->size(file.path);
  }
  for (const auto& file : found.packed) needed += file.tree->size(file.path);
  require_room(needed, store.folder(), reserve);
}

void require_room(std::uint64_t needed, const fs::path& folder, std::uint64_t reserve) {
  const auto free = free_space(folder);
  if (free >= needed && free - needed >= reserve) return;
  throw Error(ErrorCode::disk_full,
              fmt::format("{} are needed and {} must stay free; the disk has {}", format_size(needed),
                          format_size(reserve), format_size(free)),
              "free space, e.g. with `liftlock gc`, then run the same command again");
}

}  // namespace liftlock
