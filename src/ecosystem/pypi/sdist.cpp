#include "ecosystem/pypi/sdist.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/pypi/wheel.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 64u << 10;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

/// pread, so that the descriptor's offset is neither used nor moved.
struct Source {
  int fd;
  std::uint64_t offset = 0;
  std::vector<std::uint8_t> block = std::vector<std::uint8_t>(k_block);

  static la_ssize_t read(archive*, void* self, const void** data) {
    auto& source = *static_cast<Source*>(self);
    const auto got = ::pread(source.fd, source.block.data(), source.block.size(), static_cast<off_t>(source.offset));
    if (got > 0) source.offset += static_cast<std::uint64_t>(got);
    *data = source.block.data();
    return got;
  }
};

void check_name(std::string_view name, std::string_view top) {
  const auto refuse = [&](std::string_view why) {
    fail(ErrorCode::path_unsafe, "the sdist has an entry '{}' that {}", printable(name.substr(0, 200)), why);
  };
  if (name.empty() || name.size() > 1024 || name.find('\\') != std::string_view::npos) refuse("has an unsafe name");
  while (name.ends_with('/')) name.remove_suffix(1);
  if (name.starts_with('/')) refuse("is absolute");
  for (const auto component : split(name, '/')) {
    if (component.empty() || component == "." || component == "..") refuse("leaves its folder");
  }
  if (name != top && !name.starts_with(std::string(top) + "/")) refuse("is outside of its one folder");
}

class SdistScan {
 public:
  SdistScan(archive* a, std::uint64_t most) : m_archive(a), m_most(most) {}

  void run(std::uint64_t entries) {
    archive_entry* entry = nullptr;
    for (std::uint64_t count = 0;; ++count) {
      const int code = archive_read_next_header(m_archive, &entry);
      if (code == ARCHIVE_EOF) return;
      if (code != ARCHIVE_OK) fail(ErrorCode::package_malformed, "the sdist is no sound tar: {}", words());
      if (count >= entries) fail(ErrorCode::limit_exceeded, "the sdist has more than {} entries", entries);
      take(entry);
    }
  }
  std::optional<std::string> pkg_info;

 private:
  std::string words() const {
    const char* text = archive_error_string(m_archive);
    return printable(text != nullptr ? text : "unknown");
  }

  void take(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw != nullptr ? raw : "";
    if (m_top.empty()) m_top = name.substr(0, name.find('/'));
    check_name(name, m_top);
    const auto type = archive_entry_filetype(entry);
    const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (link || (type != AE_IFREG && type != AE_IFDIR)) {
      fail(ErrorCode::not_regular, "'{}' in the sdist is a link or a special file", printable(name));
    }
    // Of a sparse file only its data is in the tar, and all of it on the disk of whoever unpacks it.
    const auto stated = archive_entry_size(entry);
    if (stated < 0) fail(ErrorCode::package_malformed, "'{}' in the sdist has a negative size", printable(name));
    if (static_cast<std::uint64_t>(stated) > m_most - std::min(m_most, m_stated)) {
      fail(ErrorCode::limit_exceeded, "the sdist would unpack to more than {}", format_size(m_most));
    }
    m_stated += static_cast<std::uint64_t>(stated);
    const bool wanted = name == m_top + "/PKG-INFO";
    if (wanted && pkg_info) fail(ErrorCode::path_collision, "the sdist has '{}' twice", printable(name));
    if (wanted) pkg_info.emplace();
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    for (;;) {
      const int code = archive_read_data_block(m_archive, &data, &size, &offset);
      if (code == ARCHIVE_EOF) return;
      if (code != ARCHIVE_OK) fail(ErrorCode::package_malformed, "the sdist is no sound tar: {}", words());
      m_total += size;
      if (m_total > m_most)
        fail(ErrorCode::limit_exceeded, "the sdist would unpack to more than {}", format_size(m_most));
      if (!wanted) continue;
      pkg_info->append(static_cast<const char*>(data), size);
      if (pkg_info->size() > k_max_core_metadata) fail(ErrorCode::limit_exceeded, "PKG-INFO is too large");
    }
  }

  archive* m_archive;
  std::uint64_t m_most;
  std::uint64_t m_total = 0;
  std::uint64_t m_stated = 0;
  std::string m_top;
};

}  // namespace

CoreMetadata check_sdist(int fd, const SdistFilename& name, SdistLimits limits) {
  const auto size = regular_size(fd, "an sdist");
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  Source source{.fd = fd};
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  if (archive_read_open(reader.get(), &source, nullptr, &Source::read, nullptr) != ARCHIVE_OK) {
    fail(ErrorCode::package_malformed, "the sdist is no gzipped tar");
  }
  SdistScan scan(reader.get(), limits.free_size + limits.ratio * size);
  scan.run(limits.entries);
  if (!scan.pkg_info) fail(ErrorCode::package_malformed, "the sdist has no PKG-INFO in its folder");
  auto metadata = parse_core_metadata(*scan.pkg_info);
  check_same_project(metadata, name.name, name.version);
  return metadata;
}

}  // namespace liftlock
