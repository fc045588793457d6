#include "ecosystem/package_tar.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
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

class Scan {
 public:
  Scan(archive* a, std::string_view what, std::uint64_t most, const std::function<std::size_t(std::string_view)>& wants,
       const std::function<void(std::string_view, std::string)>& visit)
      : m_archive(a), m_what(what), m_most(most), m_wants(wants), m_visit(visit) {}

  PackageTar run(std::uint64_t entries) {
    archive_entry* entry = nullptr;
    for (std::uint64_t count = 0;; ++count) {
      const int code = archive_read_next_header(m_archive, &entry);
      if (code == ARCHIVE_EOF) return std::move(m_out);
      // A warning: the name is no text of the process's locale. Its bytes are what counts here.
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) malformed();
      if (count >= entries) fail(ErrorCode::limit_exceeded, "the {} has more than {} entries", m_what, entries);
      take(entry);
    }
  }

 private:
  [[noreturn]] void malformed() const {
    const char* text = archive_error_string(m_archive);
    fail(ErrorCode::package_malformed, "the {} is no sound tar: {}", m_what,
         printable(text != nullptr ? text : "unknown"));
  }

  /// The name below the one folder; empty for the folder itself.
  std::string_view below_folder(std::string_view name) const {
    const auto refuse = [&](std::string_view why) {
      fail(ErrorCode::path_unsafe, "the {} has an entry '{}' that {}", m_what, printable(name.substr(0, 200)), why);
    };
    if (name.empty() || name.size() > 1024 || name.find('\\') != std::string_view::npos) refuse("has an unsafe name");
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
      refuse("has a control byte in its name");
    }
    if (name.starts_with('/')) refuse("is absolute");
    while (name.ends_with('/')) name.remove_suffix(1);
    for (const auto component : split(name, '/')) {
      if (component.empty() || component == "." || component == "..") refuse("leaves its folder");
    }
    if (name == m_out.folder) return {};
    if (!name.starts_with(m_out.folder) || name[m_out.folder.size()] != '/') refuse("is outside of its one folder");
    return name.substr(m_out.folder.size() + 1);
  }

  void take(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw != nullptr ? raw : "";
    if (m_out.folder.empty()) m_out.folder = name.substr(0, name.find('/'));
    const auto below = below_folder(name);
    const auto type = archive_entry_filetype(entry);
    const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (link || (type != AE_IFREG && type != AE_IFDIR)) {
      fail(ErrorCode::not_regular, "'{}' in the {} is a link or a special file", printable(name), m_what);
    }
    if (type == AE_IFDIR) {
      content(entry, below, 0);
      return;
    }
    if (below.empty()) {
      fail(ErrorCode::package_malformed, "the folder '{}' of the {} is a file", printable(name), m_what);
    }
    if (!m_names.insert(std::string(below)).second) {
      fail(ErrorCode::path_collision, "the {} has '{}' twice", m_what, printable(name));
    }
    ++m_out.files;
    m_visit(below, content(entry, below, m_wants(below)));
  }

  std::string content(archive_entry* entry, std::string_view name, std::size_t wanted) {
    // Of a sparse file only its data is in the tar, and all of it on the disk of whoever unpacks it.
    const auto stated = archive_entry_size(entry);
    if (stated < 0) fail(ErrorCode::package_malformed, "an entry of the {} has a negative size", m_what);
    count(static_cast<std::uint64_t>(stated), m_stated);
    std::string out;
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    for (;;) {
      const int code = archive_read_data_block(m_archive, &data, &size, &offset);
      if (code == ARCHIVE_EOF) return out;
      if (code != ARCHIVE_OK) malformed();
      count(size, m_out.unpacked_size);
      if (wanted == 0) continue;
      out.append(static_cast<const char*>(data), size);
      if (out.size() > wanted) {
        fail(ErrorCode::limit_exceeded, "{} is larger than {}", printable(name), format_size(wanted));
      }
    }
  }

  void count(std::uint64_t more, std::uint64_t& sum) const {
    if (more > m_most - std::min(m_most, sum)) {
      fail(ErrorCode::limit_exceeded, "the {} would unpack to more than {}", m_what, format_size(m_most));
    }
    sum += more;
  }

  archive* m_archive;
  std::string_view m_what;
  std::uint64_t m_most;
  const std::function<std::size_t(std::string_view)>& m_wants;
  const std::function<void(std::string_view, std::string)>& m_visit;
  PackageTar m_out;
  std::uint64_t m_stated = 0;
  std::unordered_set<std::string> m_names;
};

}  // namespace

PackageTar read_package_tar(int fd, std::string_view what, const PackageTarLimits& limits,
                            const std::function<std::size_t(std::string_view)>& wants,
                            const std::function<void(std::string_view, std::string)>& visit) {
  const auto size = regular_size(fd, what);
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  Source source{.fd = fd};
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  if (archive_read_open(reader.get(), &source, nullptr, &Source::read, nullptr) != ARCHIVE_OK) {
    fail(ErrorCode::package_malformed, "the {} is no gzipped tar", what);
  }
  auto out = Scan(reader.get(), what, limits.free_size + limits.ratio * size, wants, visit).run(limits.entries);
  if (archive_filter_count(reader.get()) > 2) {
    fail(ErrorCode::package_malformed, "the {} is compressed more than once", what);
  }
  return out;
}

}  // namespace liftlock
