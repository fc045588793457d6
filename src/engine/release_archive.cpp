#include "engine/release_archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

using apt::EntryType;

EntryType type_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return EntryType::hardlink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return EntryType::file;
    case AE_IFDIR:
      return EntryType::folder;
    case AE_IFLNK:
      return EntryType::symlink;
    default:
      return EntryType::other;
  }
}

/// Without "./" in front and '/' behind.
std::string_view plain(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/') && path.size() > 1) path.remove_suffix(1);
  return path == "." ? std::string_view() : path;
}

}  // namespace

struct ReleaseArchive::Source {
  int fd = -1;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  std::array<std::uint8_t, 65536> buffer{};

  static la_ssize_t read(archive* handle, void* self, const void** out) {
    auto& source = *static_cast<Source*>(self);
    while (true) {
      const auto got =
          ::pread(source.fd, source.buffer.data(), source.buffer.size(), static_cast<off_t>(source.offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        archive_set_error(handle, errno, "the file cannot be read");
        return ARCHIVE_FATAL;
      }
      source.offset += static_cast<std::uint64_t>(got);
      *out = source.buffer.data();
      return got;
    }
  }

  /// A zip's directory is at its end.
  static la_int64_t seek(archive*, void* self, la_int64_t offset, int whence) {
    auto& source = *static_cast<Source*>(self);
    const auto base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source.offset : source.size;
    const auto place = static_cast<la_int64_t>(base) + offset;
    if (place < 0 || place > static_cast<la_int64_t>(source.size)) return ARCHIVE_FATAL;
    source.offset = static_cast<std::uint64_t>(place);
    return place;
  }
};

void ReleaseArchive::Free::operator()(archive* handle) const {
  archive_read_free(handle);
}

ReleaseArchive::ReleaseArchive(int fd, std::string what, ReleaseLimits limits)
    : m_what(std::move(what)), m_limits(limits), m_source(std::make_unique<Source>()), m_archive(archive_read_new()) {
  if (!m_archive) fail(ErrorCode::memory_limit, "no memory for reading an archive");
  m_source->fd = fd;
  m_source->size = regular_size(fd, m_what);
  auto* handle = m_archive.get();
  // Nothing that libarchive would hand to an external program, and of zips the directory decides.
  archive_read_support_filter_gzip(handle);
  archive_read_support_filter_xz(handle);
  archive_read_support_filter_zstd(handle);
  archive_read_support_format_tar(handle);
  archive_read_support_format_zip_seekable(handle);
  archive_read_set_read_callback(handle, &Source::read);
  archive_read_set_seek_callback(handle, &Source::seek);
  archive_read_set_callback_data(handle, m_source.get());
  if (archive_read_open1(handle) != ARCHIVE_OK) malformed("it is neither a tar (plain, gzip, xz, zstd) nor a zip");
}

ReleaseArchive::~ReleaseArchive() = default;

void ReleaseArchive::malformed(std::string_view why) const {
  const char* detail = archive_error_string(m_archive.get());
  fail(ErrorCode::engine_malformed, "'{}': {}{}{}", printable(m_what), why, detail != nullptr ? ": " : "",
       detail != nullptr ? printable(detail) : "");
}

bool ReleaseArchive::next(apt::DebEntry& out) {
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(m_archive.get(), &entry);
  if (status == ARCHIVE_EOF) return false;
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) malformed("the archive is broken");
  if (++m_entries > m_limits.max_entries)
    fail(ErrorCode::limit_exceeded, "'{}' holds more than {} entries", printable(m_what), m_limits.max_entries);
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr) path = archive_entry_pathname_utf8(entry);
  if (path == nullptr) malformed("an entry has no readable name");
  out = apt::DebEntry{};
  out.absolute = path[0] == '/';
  out.path = plain(path);
  out.type = type_of(entry);
  out.mode = archive_entry_perm(entry) & 07777u;
  out.size = static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)));
  if (out.type == EntryType::hardlink) {
    out.target = plain(archive_entry_hardlink(entry));
  } else if (out.type == EntryType::symlink) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr) malformed("a symlink has no target");
    out.target = target;
  }
  return true;
}

std::size_t ReleaseArchive::read(std::span<std::uint8_t> buffer) {
  const auto got = archive_read_data(m_archive.get(), buffer.data(), buffer.size());
  if (got < 0) malformed("an entry cannot be read");
  m_unpacked += static_cast<std::uint64_t>(got);
  if (m_unpacked > m_limits.max_unpacked)
    fail(ErrorCode::limit_exceeded, "'{}' unpacks to more than {}", printable(m_what),
         format_size(m_limits.max_unpacked));
  if (m_unpacked > m_limits.free_unpacked && m_unpacked / m_limits.max_ratio > m_source->size) {
    fail(ErrorCode::limit_exceeded, "'{}' unpacks to more than {} times its size", printable(m_what),
         m_limits.max_ratio);
  }
  return static_cast<std::size_t>(got);
}

}  // namespace liftlock::engine
