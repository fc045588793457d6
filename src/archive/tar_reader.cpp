#include "archive/tar_reader.hpp"

#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

class TarScan {
 public:
  TarScan(archive* a, std::string_view what, std::uint64_t most) : m_archive(a), m_what(what), m_most(most) {}

  void run(std::uint64_t entries, const std::function<TarSink(const TarEntry&)>& on_entry) {
    archive_entry* entry = nullptr;
    for (std::uint64_t count = 0;; ++count) {
      const int code = archive_read_next_header(m_archive, &entry);
      if (code == ARCHIVE_EOF) return;
      // A warning: the name is no text of the process's locale. Its bytes are what counts here.
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) malformed();
      if (count >= entries) fail(ErrorCode::limit_exceeded, "{} has more than {} entries", m_what, entries);
      const auto judged = judge(entry);
      stream(on_entry(judged));
    }
  }

 private:
  [[noreturn]] void malformed() const {
    fail(ErrorCode::package_malformed, "{} is no sound tar: {}", m_what, reader_words(m_archive));
  }
  [[noreturn]] void too_large() const {
    fail(ErrorCode::limit_exceeded, "{} would unpack to more than {}", m_what, format_size(m_most));
  }

  void check_name(std::string_view name) const {
    const auto refuse = [&](std::string_view why) {
      fail(ErrorCode::path_unsafe, "{} has an entry '{}' that {}", m_what, printable(name.substr(0, 200)), why);
    };
    if (name.empty() || name.size() > 1024 || name.find('\\') != std::string_view::npos) refuse("has an unsafe name");
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
      refuse("has a control byte in its name");
    }
    if (name.starts_with('/')) refuse("is absolute");
    for (const auto component : split(name, '/')) {
      if (component.empty() || component == "." || component == "..") refuse("leaves its folder");
    }
  }

  TarEntry judge(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) raw = archive_entry_pathname_utf8(entry);
    TarEntry out{.name = raw != nullptr ? raw : ""};
    const auto type = archive_entry_filetype(entry);
    while (out.name.size() > 1 && out.name.ends_with('/')) out.name.pop_back();
    check_name(out.name);
    const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (link || (type != AE_IFREG && type != AE_IFDIR)) {
      fail(ErrorCode::not_regular, "'{}' in {} is a link or a special file", printable(out.name), m_what);
    }
    out.is_folder = type == AE_IFDIR;
    // Of a sparse file only its data is in the tar, and all of it on the disk of whoever unpacks it.
    const auto stated = archive_entry_size(entry);
    if (stated < 0) fail(ErrorCode::package_malformed, "'{}' in {} has a negative size", printable(out.name), m_what);
    out.size = static_cast<std::uint64_t>(stated);
    if (out.size > m_most - std::min(m_most, m_stated)) too_large();
    m_stated += out.size;
    return out;
  }

  void stream(const TarSink& sink) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    for (;;) {
      const int code = archive_read_data_block(m_archive, &data, &size, &offset);
      if (code == ARCHIVE_EOF) return;
      if (code != ARCHIVE_OK) malformed();
      m_total += size;
      if (m_total > m_most) too_large();
      if (sink) sink({static_cast<const std::uint8_t*>(data), size});
    }
  }

  archive* m_archive;
  std::string_view m_what;
  std::uint64_t m_most;
  std::uint64_t m_total = 0;
  std::uint64_t m_stated = 0;
};

}  // namespace

void read_tar(int fd, std::string_view what, const TarLimits& limits,
              const std::function<TarSink(const TarEntry&)>& on_entry) {
  read_tar(TarFile(fd, what), what, limits, on_entry);
}

void read_tar(const TarFile& file, std::string_view what, const TarLimits& limits,
              const std::function<TarSink(const TarEntry&)>& on_entry) {
  const auto size = file.packed_size();
  const auto kept = file.unpacked();
  std::optional<DescriptorInput> input;
  const ReaderHandle reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  int code = ARCHIVE_OK;
  if (kept) {
    code = archive_read_open_memory(reader.get(), kept->data(), kept->size());
  } else {
    archive_read_support_filter_gzip(reader.get());
    code = input.emplace(file.fd(), 0, size).open(reader.get());
  }
  if (code != ARCHIVE_OK) fail(ErrorCode::package_malformed, "{} is no tar", what);
  TarScan(reader.get(), what, limits.free_size + limits.ratio * size).run(limits.entries, on_entry);
  if (archive_filter_count(reader.get()) > 2)
    fail(ErrorCode::package_malformed, "{} is compressed more than once", what);
}

}  // namespace liftlock
