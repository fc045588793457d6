#include "ecosystem/cargo/vendor_archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::size_t k_max_files = 2'000'000;
constexpr std::size_t k_block = 256u << 10;

struct FreeArchive {
  void operator()(archive* a) const { archive_write_free(a); }
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

}  // namespace

class VendorArchive::Writer {
 public:
  explicit Writer(int out) : m_archive(archive_write_new()) {
    check(archive_write_set_format_gnutar(m_archive.get()));  // names of any length, as their bytes are
    archive_write_set_bytes_in_last_block(m_archive.get(), 1);
    check(archive_write_open_fd(m_archive.get(), out));
  }
  void begin(const std::string& name, std::uint64_t size, bool executable) {
    const std::unique_ptr<archive_entry, FreeArchive> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), executable ? 0755 : 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry.get(), 0, 0);
    check(archive_write_header(m_archive.get(), entry.get()));
  }
  void add(std::string_view bytes) {
    if (archive_write_data(m_archive.get(), bytes.data(), bytes.size()) != static_cast<la_ssize_t>(bytes.size()))
      failed();
  }
  void end() { check(archive_write_close(m_archive.get())); }

 private:
  void check(int code) const {
    if (code != ARCHIVE_OK) failed();
  }
  [[noreturn]] void failed() const {
    const char* text = archive_error_string(m_archive.get());
    fail(ErrorCode::io_error, "the tree could not be packed: {}", printable(text != nullptr ? text : "unknown"));
  }
  std::unique_ptr<archive, FreeArchive> m_archive;
};

std::string vendor_path(std::string_view name) {
  return fmt::format("packages/cargo/{}-vendor.tar", name);
}

VendorArchive::VendorArchive(int out) : m_writer(std::make_unique<Writer>(out)) {}
VendorArchive::~VendorArchive() = default;

void VendorArchive::lock(std::string_view bytes) {
  m_writer->begin("Cargo.lock", bytes.size(), false);
  m_writer->add(bytes);
}

Digest VendorArchive::file(const std::string& path, int fd, std::uint64_t offset, std::uint64_t size,
                           Executable executable) {
  m_writer->begin("vendor/" + path, size, executable == Executable::yes);
  std::vector<std::uint8_t> block(std::min<std::uint64_t>(k_block, size));
  Hasher hasher;
  while (size > 0) {
    const std::span part(block.data(), std::min<std::uint64_t>(block.size(), size));
    if (!pread_exact(fd, part, offset, path))
      fail(ErrorCode::io_error, "'{}' changed while it was packed", printable(path));
    hasher.update(part);
    m_writer->add(as_text(part));
    offset += part.size();
    size -= part.size();
  }
  return hasher.finish();
}

void VendorArchive::end() {
  m_writer->end();
}

void write_vendor_archive(const fs::path& folder, std::string_view lock, int out) {
  VendorArchive archive(out);
  archive.lock(lock);
  for (const auto& entry : walk(folder, k_max_files)) {
    if (S_ISDIR(entry.status.st_mode)) continue;
    const auto fd = open_file(folder / entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const auto executable = (entry.status.st_mode & S_IXUSR) != 0 ? Executable::yes : Executable::no;
    (void)archive.file(entry.path, fd.get(), 0, regular_size(fd.get(), entry.path), executable);
  }
  archive.end();
}

}  // namespace liftlock::cargo
