// For tests: packages made here, good and hostile.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock::apt::testing_support {

struct TarItem {
  std::string path;
  std::string content;
  mode_t type = AE_IFREG;
  mode_t mode = 0644;
  std::string target;
  bool hardlink = false;
};

inline std::string make_tar(const std::vector<TarItem>& items, int (*filter)(archive*) = nullptr) {
  const UniqueFd fd(::memfd_create("tar", MFD_CLOEXEC));
  archive* out = archive_write_new();
  archive_write_set_format_gnutar(out);
  if (filter != nullptr) filter(out);
  archive_write_set_bytes_in_last_block(out, 1);
  archive_write_open_fd(out, fd.get());
  for (const auto& item : items) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_filetype(entry, item.type);
    archive_entry_set_perm(entry, item.mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
    if (item.type == AE_IFLNK) archive_entry_set_symlink(entry, item.target.c_str());
    if (item.hardlink) archive_entry_set_hardlink(entry, item.target.c_str());
    archive_write_header(out, entry);
    archive_write_data(out, item.content.data(), item.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
  return read_all(fd.get(), 1u << 30, "tar");
}

inline std::string ar_member(std::string name, const std::string& content, std::string size = {}) {
  if (size.empty()) size = std::to_string(content.size());
  const auto pad = [](std::string text, std::size_t width) { return text.append(width - text.size(), ' '); };
  std::string out = pad(std::move(name), 16) + pad("0", 12) + pad("0", 6) + pad("0", 6) + pad("100644", 8) +
                    pad(std::move(size), 10) + "`\n" + content;
  if (content.size() % 2 != 0) out += '\n';
  return out;
}

inline std::string control_text(const std::string& package, const std::string& version, const std::string& architecture,
                                const std::string& more = {}) {
  return "Package: " + package + "\nVersion: " + version + "\nArchitecture: " + architecture +
         "\nMaintainer: Test <test@example.org>\nDescription: made by a test\n" + more;
}

inline std::string make_deb(const std::string& control, const std::vector<TarItem>& data) {
  return "!<arch>\n" + ar_member("debian-binary", "2.0\n") +
         ar_member("control.tar.gz", make_tar({{"./control", control}}, archive_write_add_filter_gzip)) +
         ar_member("data.tar.xz", make_tar(data, archive_write_add_filter_xz));
}

inline UniqueFd as_file(const std::string& bytes) {
  UniqueFd fd(::memfd_create("deb", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  return fd;
}

}  // namespace liftlock::apt::testing_support
