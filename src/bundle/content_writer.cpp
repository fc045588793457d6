#include "bundle/content_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>

#include "base/error.hpp"
#include "bundle/tar_layout.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/source_files.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// A member of content.tar up to here is written with its header and its padding at once.
constexpr std::uint64_t k_one_write = 256u << 10;
/// So many bytes of small members, one behind the other, are one write.
constexpr std::uint64_t k_batch = 1u << 20;

class ContentWriter {
 public:
  ContentWriter(const BlobStore& store, const std::vector<FileEntry>& files, const GeneratedFiles& generated,
                ContentForm form, const fs::path& folder)
      : m_store(store), m_files(files), m_folder_fd(open_folder(folder)) {
    for (const auto& [path, text] : generated) m_generated.emplace(path.text(), &text);
    if (form == ContentForm::tar) open_tar();
  }

  void write_all_files(Reporter& reporter) {
    if (m_tar.valid()) {
      pwrite_all(m_tar.get(), std::string(1024, '\0'), m_layout.end_offset);
    } else {
      make_content_folders();
    }
    const auto work = pieces();
    std::uint64_t total = 0;
    for (const auto& file : m_files) total += file.size;
    ProgressTask progress(reporter, "pack", Unit::bytes, total);
    parallel_for(work.size(),
                 [&](std::size_t i) { write_piece(work[i], [&](std::uint64_t done) { progress.advance(done); }); });
  }

 private:
  using Advance = std::function<void(std::uint64_t)>;

  /// Files, by their indexes, that one thread writes.
  struct Piece {
    std::size_t first = 0;
    std::size_t end = 0;
    std::uint64_t size = 0;
  };

  /// The large ones first, the others as they stand. Small members of a new content.tar that follow each other are one
  /// piece.
  std::vector<Piece> pieces() const {
    std::vector<Piece> out;
    const bool joins = m_tar.valid() && !m_resuming;
    for (std::size_t i = 0; i < m_files.size(); ++i) {
      const auto end = i + 1 < m_files.size() && joins ? m_layout.members[i + 1].header_offset : m_layout.end_offset;
      const bool fits = joins && !out.empty() && out.back().end == i && m_files[i].size <= k_one_write &&
                        m_files[out.back().first].size <= k_one_write &&
                        end - m_layout.members[out.back().first].header_offset <= k_batch;
      if (!fits) out.push_back({.first = i, .end = i});
      out.back().end = i + 1;
      out.back().size += m_files[i].size;
    }
    const auto rank = [](const Piece& piece) { return std::max(piece.size, k_batch); };
    std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
    return out;
  }

  void write_piece(const Piece& piece, const Advance& advance) {
    if (piece.end - piece.first > 1) {
      write_members(piece, advance);
    } else {
      write_one(piece.first, advance);
    }
  }

  void open_tar() {
    auto tar = open_beneath(m_folder_fd.get(), RelPath::parse(k_content_tar_path), O_RDWR | O_CREAT);
    m_tar = std::move(tar.value());
    m_layout = tar_layout(m_files);
    m_resuming = regular_size(m_tar.get(), k_content_tar_path) == m_layout.total_size;
    // Bytes of another lock's tar must not stay between ours.
    if (!m_resuming && ::ftruncate(m_tar.get(), 0) != 0) fail_errno("empty content.tar");
    if (::ftruncate(m_tar.get(), static_cast<off_t>(m_layout.total_size)) != 0)
      fail_errno("set the size of content.tar");
  }

  void make_content_folders() {
    std::string_view last;
    for (const auto& file : m_files) {
      if (file.path.parent() == last) continue;
      last = file.path.parent();
      make_parents_beneath(m_folder_fd.get(), file.path);
    }
  }

  /// nullptr: it lies in the store.
  const std::string* generated(const FileEntry& file) const {
    const auto made = m_generated.find(file.path.text());
    return made == m_generated.end() ? nullptr : made->second;
  }

  void write_one(std::size_t index, const Advance& advance) {
    const auto& file = m_files[index];
    const auto* text = generated(file);
    if (m_tar.valid()) {
      write_member(file, m_layout.members[index], text, advance);
    } else {
      write_file(file, text, advance);
    }
  }

  void write_file(const FileEntry& file, const std::string* text, const Advance& advance) {
    const auto out = std::move(open_beneath(m_folder_fd.get(), file.path, O_RDWR | O_CREAT).value());
    // Left whole by a run that was killed? The files of a fresh run are empty, so there this costs one fstat.
    const auto there = regular_size(out.get(), file.path.text());
    if (there == file.size && is_whole(file, out.get(), 0)) return advance(file.size);
    // Most files are new, and truncating an empty one is a transaction of the file system all the same.
    if (there > 0 && ::ftruncate(out.get(), 0) != 0) fail_errno(fmt::format("truncate {}", file.path.text()));
    if (text != nullptr) {
      pwrite_all(out.get(), *text, 0);
      return advance(file.size);
    }
    copy_blob(file, out.get(), advance);
  }

  void write_members(const Piece& piece, const Advance& advance) {
    const auto begin = m_layout.members[piece.first].header_offset;
    thread_local std::string out;
    out.clear();
    for (auto i = piece.first; i < piece.end; ++i) add_member(m_files[i], out);
    pwrite_all(m_tar.get(), out, begin);
    // Only a hint: pack's syncfs is what makes it durable, and finds the disk busy with it already.
    ::sync_file_range(m_tar.get(), static_cast<off_t>(begin), static_cast<off_t>(out.size()), SYNC_FILE_RANGE_WRITE);
    advance(piece.size);
  }

  /// Header, bytes and padding.
  void add_member(const FileEntry& file, std::string& out) const {
    out += tar_header(file.path, file.size);
    if (const auto* text = generated(file)) {
      out += *text;
    } else {
      const auto begin = out.size();
      out.resize(begin + file.size);
      read_blob(file, {reinterpret_cast<std::uint8_t*>(out.data()) + begin, file.size});
    }
    out.append(tar_padding(file.size), '\0');
  }

  void write_member(const FileEntry& file, const TarMember& place, const std::string* text, const Advance& advance) {
    const auto padding = tar_padding(file.size);
    if (m_resuming && is_whole(file, m_tar.get(), place.data_offset)) {
      pwrite_all(m_tar.get(), tar_header(file.path, file.size), place.header_offset);
      pwrite_all(m_tar.get(), std::string(padding, '\0'), place.data_offset + file.size);
      return advance(file.size);
    }
    if (text != nullptr || file.size <= k_one_write) {
      std::string member;
      add_member(file, member);
      pwrite_all(m_tar.get(), member, place.header_offset);
      return advance(file.size);
    }
    pwrite_all(m_tar.get(), tar_header(file.path, file.size), place.header_offset);
    pwrite_all(m_tar.get(), std::string(padding, '\0'), place.data_offset + file.size);
    // A descriptor of its own: each has its own file offset.
    const auto at = std::move(open_beneath(m_folder_fd.get(), RelPath::parse(k_content_tar_path), O_RDWR).value());
    if (::lseek(at.get(), static_cast<off_t>(place.data_offset), SEEK_SET) < 0) fail_errno("seek in content.tar");
    copy_blob(file, at.get(), advance);
  }

  static bool is_whole(const FileEntry& file, int out, std::uint64_t offset) {
    return file.size == 0 || sha256_of_range(out, offset, file.size, file.path.text(), {}) == file.digest;
  }

  UniqueFd open_blob(const FileEntry& file) const {
    auto in = m_store.open(file.digest);
    if (regular_size(in.get(), file.digest.text()) != file.size) {
      fail_bytes(file, fmt::format("does not have {} bytes", file.size));
    }
    return in;
  }
  void require_digest(const FileEntry& file, const Digest& actual) const {
    if (actual != file.digest) fail_bytes(file, fmt::format("has {} instead of {}", actual.text(), file.digest.text()));
  }
  /// The store's own file is damaged, or the user's changed, may be just now.
  [[noreturn]] void fail_bytes(const FileEntry& file, std::string_view what) const {
    if (const auto reference = m_store.references().any(file.digest); reference && !m_store.holds(file.digest)) {
      fail_changed(*reference);
    }
    fail(ErrorCode::blob_corrupt, "the store's file for '{}' {}", file.path.text(), what);
  }

  void read_blob(const FileEntry& file, std::span<std::uint8_t> into) const {
    const auto in = open_blob(file);
    if (!pread_exact(in.get(), into, 0, file.path.text())) fail_bytes(file, "ends early");
    require_digest(file, sha256(into));
  }

  void copy_blob(const FileEntry& file, int out, const Advance& advance) const {
    const auto in = open_blob(file);
    try {
      require_digest(file, copy_hashed(in.get(), 0, out, file.size, file.path.text(), advance));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::size_mismatch) fail_bytes(file, "ends early");
      throw;
    }
  }

  static void pwrite_all(int fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
      const auto put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail_errno("write the bundle");
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
  }

  const BlobStore& m_store;
  const std::vector<FileEntry>& m_files;
  UniqueFd m_folder_fd;
  UniqueFd m_tar;
  TarLayout m_layout;
  bool m_resuming = false;  ///< content.tar was left by an earlier run
  std::map<std::string_view, const std::string*> m_generated;
};

}  // namespace

Leftovers keep_leftovers(const fs::path& partial, const std::vector<FileEntry>& files, ContentForm form) {
  std::set<std::string_view> wanted;
  if (form == ContentForm::tree) {
    for (const auto& file : files) wanted.insert(file.path.text());
  } else {
    wanted.insert(k_content_tar_path);
  }
  Leftovers kept;
  for (const auto& entry : walk(partial, 2 * bundle_limits::k_files)) {
    if (!wanted.contains(entry.path) || !S_ISREG(entry.status.st_mode)) {
      remove_tree(partial / entry.path);
      continue;
    }
    ++kept.files;
    kept.bytes += static_cast<std::uint64_t>(entry.status.st_size);
  }
  return kept;
}

void write_content(const BlobStore& store, const std::vector<FileEntry>& files, const GeneratedFiles& generated,
                   ContentForm form, const fs::path& folder, Reporter& reporter) {
  ContentWriter(store, files, generated, form, folder).write_all_files(reporter);
}

}  // namespace liftlock
