#include "ecosystem/oci/layer.hpp"

#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_problems = 16;

[[noreturn]] void malformed(archive* a) {
  throw Error(ErrorCode::image_malformed, reader_words(a));
}

/// The uncompressed tar as a stream: hashed and counted while the tar reader pulls it.
class Uncompressed {
 public:
  Uncompressed(int fd, const LayerLimits& limits)
      : m_limits(limits),
        m_stored_size(regular_size(fd, "a layer")),
        m_stored(fd, 0, m_stored_size),
        m_archive(archive_read_new()) {
    archive_read_support_filter_gzip(m_archive.get());
    archive_read_support_filter_zstd(m_archive.get());
    archive_read_support_format_raw(m_archive.get());
    archive_read_support_format_empty(m_archive.get());
    if (m_stored.open(m_archive.get()) != ARCHIVE_OK) malformed(m_archive.get());
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(m_archive.get(), &entry);
    m_ended = result == ARCHIVE_EOF;
    if (!m_ended && result != ARCHIVE_OK && result != ARCHIVE_WARN) malformed(m_archive.get());
    // libarchive would undo any number of compressions; a container runtime undoes one.
    if (archive_filter_count(m_archive.get()) > 2) fail(ErrorCode::image_malformed, "compressed more than once");
  }

  /// The next bytes; empty at the end.
  std::string_view next() {
    if (m_ended) return {};
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(m_archive.get(), &block, &size, &offset);
    if (result == ARCHIVE_EOF) {
      m_ended = true;
      return {};
    }
    if (result != ARCHIVE_OK) malformed(m_archive.get());
    const std::string_view bytes(static_cast<const char*>(block), size);
    m_bytes += size;
    if (m_bytes > m_limits.max_bytes) {
      fail(ErrorCode::limit_exceeded, "it unpacks to more than {}", format_size(m_limits.max_bytes));
    }
    if (m_bytes > m_limits.ratio_floor && m_bytes / m_limits.max_ratio > m_stored_size) {
      fail(ErrorCode::limit_exceeded, "{} unpack to more than {}, {} times as much", format_size(m_stored_size),
           format_size(m_bytes), m_limits.max_ratio);
    }
    m_hasher.update(bytes);
    return bytes;
  }

  Digest drain() {
    while (!next().empty()) {
    }
    return m_hasher.finish();
  }
  std::uint64_t bytes() const { return m_bytes; }

  /// A file of this size comes out when the layer is unpacked: a sparse one is larger than its bytes in the tar.
  void expect_file(std::uint64_t size) {
    m_expected = size > m_limits.max_bytes - std::min(m_expected, m_limits.max_bytes) ? m_limits.max_bytes + 1
                                                                                      : m_expected + size;
    if (m_expected > m_limits.max_bytes) {
      fail(ErrorCode::limit_exceeded, "its files unpack to more than {}", format_size(m_limits.max_bytes));
    }
    if (m_expected > m_limits.ratio_floor && m_expected / m_limits.max_ratio > m_stored_size) {
      fail(ErrorCode::limit_exceeded, "{} unpack to files of more than {}, {} times as much",
           format_size(m_stored_size), format_size(m_expected), m_limits.max_ratio);
    }
  }
  const std::optional<Error>& error() const { return m_error; }

  /// libarchive's callback; exceptions must not pass through C.
  static la_ssize_t read(archive* a, void* self, const void** out) {
    auto& in = *static_cast<Uncompressed*>(self);
    try {
      const auto bytes = in.next();
      *out = bytes.data();
      return static_cast<la_ssize_t>(bytes.size());
    } catch (const Error& error) {
      in.m_error = error;
      archive_set_error(a, EIO, "%s", error.message().c_str());
      return ARCHIVE_FATAL;
    }
  }

 private:
  const LayerLimits& m_limits;
  std::uint64_t m_stored_size;
  DescriptorInput m_stored;
  ReaderHandle m_archive;
  std::uint64_t m_bytes = 0;
  std::uint64_t m_expected = 0;
  bool m_ended = false;
  Hasher m_hasher;
  std::optional<Error> m_error;
};

void note(LayerReport& report, ErrorCode code, std::string message) {
  if (report.problems.size() < k_max_problems) report.problems.push_back({code, std::move(message)});
}

std::optional<std::string_view> name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  return name == nullptr ? std::nullopt : std::optional<std::string_view>(name);
}

void check_entry(archive_entry* entry, LayerReport& report) {
  const auto name = name_of(entry);
  if (!name) return note(report, ErrorCode::path_unsafe, "an entry has no readable name");
  if (const auto why = why_not_layer_path(*name); !why.empty()) {
    note(report, ErrorCode::path_unsafe,
         fmt::format("the entry '{}' is refused: {}", printable(name->substr(0, 200)), why));
  }
  report.hidden.look_at(*name);
  const char* target = archive_entry_hardlink(entry);
  if (target == nullptr) target = archive_entry_hardlink_utf8(entry);
  if (target != nullptr) {
    if (const auto why = why_not_layer_path(target); !why.empty()) {
      note(report, ErrorCode::path_unsafe,
           fmt::format("the hard link '{}' to '{}' is refused: {}", printable(name->substr(0, 200)),
                       printable(std::string_view(target).substr(0, 200)), why));
    }
  }
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFCHR || type == AE_IFBLK) ++report.devices;
  if (type == AE_IFREG && (archive_entry_perm(entry) & (S_ISUID | S_ISGID)) != 0) ++report.set_id;
}

}  // namespace

std::string why_not_layer_path(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > 4096) return "it is longer than 4096 bytes";
  if (name.front() == '/') return "it is absolute";
  for (const auto component : split(name, '/')) {
    if (component == "..") return "it holds '..'";
  }
  while (name.ends_with('/')) name.remove_suffix(1);
  const auto last = name.substr(name.rfind('/') + 1);
  // A whiteout removes what stands behind the prefix, beside it.
  constexpr std::string_view k_whiteout = ".wh.";
  if (last.starts_with(k_whiteout)) {
    const auto removed = last.substr(k_whiteout.size());
    if (removed.empty() || removed == "." || removed == "..") return "it removes its own folder or the one above";
  }
  return {};
}

LayerReport scan_layer(int fd, const LayerLimits& limits) {
  Uncompressed in(fd, limits);
  const ReaderHandle tar(archive_read_new());
  archive_read_support_format_tar(tar.get());
  archive_read_support_format_empty(tar.get());
  LayerReport report{.diff_id = sha256(std::string_view())};
  const auto stop = [&] {
    if (in.error()) throw Error(*in.error());
    malformed(tar.get());
  };
  if (archive_read_open(tar.get(), &in, nullptr, &Uncompressed::read, nullptr) != ARCHIVE_OK) stop();
  while (true) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(tar.get(), &entry);
    if (result == ARCHIVE_EOF) break;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) stop();
    if (++report.entries > limits.max_entries) {
      fail(ErrorCode::limit_exceeded, "more than {} entries", limits.max_entries);
    }
    check_entry(entry, report);
    const auto size = archive_entry_size(entry);
    if (size < 0) fail(ErrorCode::image_malformed, "an entry of negative size");
    if (archive_entry_filetype(entry) == AE_IFREG) in.expect_file(static_cast<std::uint64_t>(size));
  }
  report.diff_id = in.drain();
  report.bytes = in.bytes();
  return report;
}

}  // namespace liftlock::oci
