#include <archive_entry.h>

#include <array>
#include <set>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/pypi/wheelhouse.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

std::string base_name(const char* path) {
  const std::string_view text = path != nullptr ? path : "";
  return std::string(text.substr(text.rfind('/') + 1));
}

class Unpacking {
 public:
  Unpacking(archive* a, int out, std::uint64_t most) : m_archive(a), m_out(out), m_most(most) {}

  void take(archive_entry* entry) {
    auto name = base_name(archive_entry_pathname(entry));
    const bool wanted = is_wheel_name(name) || is_sdist_name(name);
    const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (wanted && (link || archive_entry_filetype(entry) != AE_IFREG)) {
      fail(ErrorCode::not_regular, "'{}' in the archive is a link or a special file", printable(name));
    }
    if (wanted && !m_names.insert(name).second) {
      fail(ErrorCode::path_collision, "the archive has '{}' twice", printable(name));
    }
    const auto begin = m_written;
    copy_data(wanted);
    if (wanted) files.push_back({std::move(name), begin, m_written - begin});
  }
  std::vector<UnpackedFile> files;

 private:
  void copy_data(bool wanted) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    la_int64_t expected = 0;
    for (;;) {
      const int code = archive_read_data_block(m_archive, &data, &size, &offset);
      if (code == ARCHIVE_EOF) return;
      if (code != ARCHIVE_OK)
        fail(ErrorCode::package_malformed, "the archive is no sound tar: {}", reader_words(m_archive));
      m_seen += size;
      if (m_seen > m_most) fail(ErrorCode::limit_exceeded, "it would unpack to more than {}", format_size(m_most));
      if (!wanted) continue;
      if (offset != expected) fail(ErrorCode::package_malformed, "the archive holds a sparse file");
      expected += static_cast<la_int64_t>(size);
      write_all(m_out, {static_cast<const std::uint8_t*>(data), size}, "the unpacked wheelhouse");
      m_written += size;
    }
  }

  archive* m_archive;
  int m_out;
  std::uint64_t m_most;
  std::uint64_t m_seen = 0;
  std::uint64_t m_written = 0;
  std::set<std::string> m_names;
};

}  // namespace

std::vector<UnpackedFile> unpack_wheelhouse(int archive, int out, WheelhouseArchiveLimits limits) {
  const auto size = regular_size(archive, "the archive");
  std::array<std::uint8_t, 4> head{};
  if (size >= head.size() && pread_exact(archive, head, 0, "the archive") && as_text(head) == "PK\x03\x04") {
    fail(ErrorCode::package_malformed,
         "it is a zip archive: unpack it and name the folder, or pack the folder with `tar -czf wheelhouse.tgz "
         "wheelhouse`");
  }
  DescriptorInput input(archive, 0, size);
  const ReaderHandle reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  if (input.open(reader.get()) != ARCHIVE_OK) {
    fail(ErrorCode::package_malformed, "it is no tar: {}", reader_words(reader.get()));
  }
  Unpacking unpacking(reader.get(), out, limits.free_size + limits.ratio * size);
  archive_entry* entry = nullptr;
  for (std::uint64_t count = 0;; ++count) {
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) return std::move(unpacking.files);
    if (code != ARCHIVE_OK) {
      fail(ErrorCode::package_malformed, "the archive is no sound tar: {}", reader_words(reader.get()));
    }
    if (count >= limits.entries) fail(ErrorCode::limit_exceeded, "it has more than {} entries", limits.entries);
    unpacking.take(entry);
  }
}

}  // namespace liftlock
