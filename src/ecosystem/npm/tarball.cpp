#include "ecosystem/npm/tarball.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::npm {
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

/// The name below the one folder; empty for the folder itself.
std::string_view below_folder(std::string_view name, std::string_view folder) {
  const auto refuse = [&](std::string_view why) {
    fail(ErrorCode::path_unsafe, "the tarball has an entry '{}' that {}", printable(name.substr(0, 200)), why);
  };
  if (name.empty() || name.size() > 1024 || name.find('\\') != std::string_view::npos) refuse("has an unsafe name");
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    refuse("has a control byte in its name");
  }
  if (name.starts_with('/')) refuse("is absolute");
  auto trimmed = name;
  while (trimmed.ends_with('/')) trimmed.remove_suffix(1);
  for (const auto component : split(trimmed, '/')) {
    if (component.empty() || component == "." || component == "..") refuse("leaves its folder");
  }
  if (trimmed == folder) return {};
  if (!trimmed.starts_with(folder) || trimmed[folder.size()] != '/') refuse("is outside of its one folder");
  return trimmed.substr(folder.size() + 1);
}

class TarballScan {
 public:
  TarballScan(archive* a, std::uint64_t most) : m_archive(a), m_most(most) {}

  void run(std::uint64_t entries) {
    archive_entry* entry = nullptr;
    for (std::uint64_t count = 0;; ++count) {
      const int code = archive_read_next_header(m_archive, &entry);
      if (code == ARCHIVE_EOF) return;
      // A warning: the name is no text of the process's locale. Its bytes are what counts here.
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) malformed();
      if (count >= entries) fail(ErrorCode::limit_exceeded, "the tarball has more than {} entries", entries);
      take(entry);
    }
  }

  std::optional<std::string> package_json;
  bool has_shrinkwrap = false;
  bool has_gyp = false;
  std::uint64_t files = 0;
  std::uint64_t total = 0;

 private:
  [[noreturn]] void malformed() const {
    const char* text = archive_error_string(m_archive);
    fail(ErrorCode::package_malformed, "the tarball is no sound tar: {}",
         printable(text != nullptr ? text : "unknown"));
  }

  void take(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw != nullptr ? raw : "";
    if (m_folder.empty()) m_folder = name.substr(0, name.find('/'));
    const auto below = below_folder(name, m_folder);
    const auto type = archive_entry_filetype(entry);
    const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (link || (type != AE_IFREG && type != AE_IFDIR)) {
      fail(ErrorCode::not_regular, "'{}' in the tarball is a link or a special file", printable(name));
    }
    if (type == AE_IFDIR) return skip(entry);
    if (below.empty()) fail(ErrorCode::package_malformed, "the folder '{}' of the tarball is a file", printable(name));
    if (!m_names.insert(std::string(below)).second) {
      fail(ErrorCode::path_collision, "the tarball has '{}' twice", printable(name));
    }
    ++files;
    const auto folded = to_lower(below);
    if (folded == "package.json" && below != folded) {
      fail(ErrorCode::path_collision, "'{}' is package.json where case does not count", printable(name));
    }
    if (below == "npm-shrinkwrap.json") has_shrinkwrap = true;
    if (below == "binding.gyp") has_gyp = true;
    const bool wanted = below == "package.json";
    if (wanted) package_json.emplace();
    content(entry, wanted);
  }

  void skip(archive_entry* entry) { content(entry, false); }

  void content(archive_entry* entry, bool wanted) {
    // Of a sparse file only its data is in the tar, and all of it on the disk of whoever unpacks it.
    const auto stated = archive_entry_size(entry);
    if (stated < 0) fail(ErrorCode::package_malformed, "an entry of the tarball has a negative size");
    count(static_cast<std::uint64_t>(stated), m_stated);
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    for (;;) {
      const int code = archive_read_data_block(m_archive, &data, &size, &offset);
      if (code == ARCHIVE_EOF) return;
      if (code != ARCHIVE_OK) malformed();
      count(size, total);
      if (!wanted) continue;
      package_json->append(static_cast<const char*>(data), size);
      if (package_json->size() > k_max_package_json) {
        fail(ErrorCode::limit_exceeded, "package.json is larger than {}", format_size(k_max_package_json));
      }
    }
  }

  void count(std::uint64_t more, std::uint64_t& sum) const {
    if (more > m_most - std::min(m_most, sum)) {
      fail(ErrorCode::limit_exceeded, "the tarball would unpack to more than {}", format_size(m_most));
    }
    sum += more;
  }

  archive* m_archive;
  std::uint64_t m_most;
  std::uint64_t m_stated = 0;
  std::string m_folder;
  std::unordered_set<std::string> m_names;
};

}  // namespace

Tarball read_tarball(int fd, TarballLimits limits) {
  const auto size = regular_size(fd, "a tarball");
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  Source source{.fd = fd};
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  if (archive_read_open(reader.get(), &source, nullptr, &Source::read, nullptr) != ARCHIVE_OK) {
    fail(ErrorCode::package_malformed, "the tarball is no gzipped tar");
  }
  TarballScan scan(reader.get(), limits.free_size + limits.ratio * size);
  scan.run(limits.entries);
  if (archive_filter_count(reader.get()) > 2) {
    fail(ErrorCode::package_malformed, "the tarball is compressed more than once");
  }
  if (!scan.package_json) fail(ErrorCode::package_malformed, "the tarball has no package.json in its folder");
  Tarball out{.package = parse_package_json(*scan.package_json),
              .has_shrinkwrap = scan.has_shrinkwrap,
              .files = scan.files,
              .unpacked_size = scan.total};
  auto& scripts = out.package.install_scripts;
  if (scan.has_gyp && !scripts.contains("install") && !scripts.contains("preinstall")) {
    scripts["install"] = "node-gyp rebuild";
  }
  return out;
}

}  // namespace liftlock::npm
