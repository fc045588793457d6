#include "ecosystem/apt/deb_reader.hpp"

#include <archive_entry.h>

#include <algorithm>
#include <array>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

constexpr std::string_view k_magic = "!<arch>\n";
constexpr std::size_t k_header = 60;
constexpr std::array<std::string_view, 6> k_scripts = {"config", "postinst", "postrm", "preinst", "prerm", "triggers"};

std::string read_exactly(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const std::span<std::uint8_t> buffer(reinterpret_cast<std::uint8_t*>(bytes.data()), size);
  if (!pread_exact(fd, buffer, offset, "a .deb")) fail(ErrorCode::package_malformed, "the .deb is truncated");
  return bytes;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// The member whose header stands at `offset`. BSD and SysV long names do not occur in a .deb: their '/' and '#' forms
/// fail as unknown names.
DebMember read_member(int fd, std::uint64_t offset, std::uint64_t file_size) {
  const auto header = read_exactly(fd, offset, k_header);
  const std::string_view view(header);
  if (view.substr(58, 2) != "`\n") fail(ErrorCode::package_malformed, "a member of the .deb has no ar header");
  auto name = strip_right(view.substr(0, 16));
  if (name.ends_with('/')) name.remove_suffix(1);
  const auto size = parse_uint(strip_right(view.substr(48, 10)));
  if (!size) fail(ErrorCode::package_malformed, "the size of the member '{}' is no number", printable(name));
  if (*size > file_size - offset - k_header) {
    fail(ErrorCode::package_malformed, "the member '{}' claims {} bytes, more than the file has", printable(name),
         *size);
  }
  return {std::string(name), offset + k_header, *size};
}

std::uint64_t after(const DebMember& member) {
  return member.offset + member.size + (member.size & 1);
}

int add_filter(archive* handle, std::string_view name) {
  if (name.ends_with(".tar")) return archive_read_support_filter_none(handle);
  if (name.ends_with(".tar.gz")) return archive_read_support_filter_gzip(handle);
  if (name.ends_with(".tar.xz")) return archive_read_support_filter_xz(handle);
  if (name.ends_with(".tar.zst")) return archive_read_support_filter_zstd(handle);
  if (name.ends_with(".tar.bz2")) return archive_read_support_filter_bzip2(handle);
  if (name.ends_with(".tar.lzma")) return archive_read_support_filter_lzma(handle);
  return ARCHIVE_FATAL;
}

EntryType type_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return EntryType::hardlink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return EntryType::file;
    case AE_IFDIR:
      return EntryType::folder;
    case AE_IFLNK:
      return EntryType::symlink;
    case AE_IFBLK:
    case AE_IFCHR:
      return EntryType::device;
    case AE_IFIFO:
      return EntryType::fifo;
    default:
      return EntryType::other;
  }
}

std::string_view plain(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/') && path.size() > 1) path.remove_suffix(1);
  return path == "." ? std::string_view() : path;
}

}  // namespace

DebLayout read_deb_layout(int fd) {
  const auto size = regular_size(fd, "a .deb");
  if (read_exactly(fd, 0, k_magic.size()) != k_magic) fail(ErrorCode::package_malformed, "the file is no ar archive");
  const auto version = read_member(fd, k_magic.size(), size);
  if (version.name != "debian-binary" || version.size < 4 || version.size > 64 ||
      !read_exactly(fd, version.offset, 4).starts_with("2.0\n")) {
    fail(ErrorCode::package_malformed, "the .deb is not of format 2.0");
  }
  DebLayout layout;
  layout.control = read_member(fd, after(version), size);
  if (!layout.control.name.starts_with("control.tar")) {
    fail(ErrorCode::package_malformed, "'{}' stands where control.tar must", printable(layout.control.name));
  }
  layout.data = read_member(fd, after(layout.control), size);
  if (!layout.data.name.starts_with("data.tar")) {
    fail(ErrorCode::package_malformed, "'{}' stands where data.tar must", printable(layout.data.name));
  }
  auto offset = after(layout.data);
  for (int more = 0; offset < size; ++more) {
    const auto member = read_member(fd, offset, size);
    if (!member.name.starts_with('_') || more >= 16) {
      fail(ErrorCode::package_malformed, "the .deb has another member '{}' after data.tar", printable(member.name));
    }
    offset = after(member);
  }
  return layout;
}

void DebTar::Free::operator()(archive* handle) const {
  archive_read_free(handle);
}

DebTar::DebTar(int fd, const DebMember& member, DebLimits limits)
    : m_input(std::make_unique<DescriptorInput>(fd, member.offset, member.size)),
      m_archive(archive_read_new()),
      m_member(member),
      m_limits(limits) {
  if (!m_archive) fail(ErrorCode::memory_limit, "no memory for reading an archive");
  // Only the compression that the name states, and never one that libarchive would hand to an external program.
  if (add_filter(m_archive.get(), member.name) != ARCHIVE_OK) {
    malformed("its compression is unknown");
  }
  archive_read_support_format_tar(m_archive.get());
  if (m_input->open(m_archive.get()) != ARCHIVE_OK) {
    malformed("it is no tar of that compression");
  }
}

DebTar::~DebTar() = default;

void DebTar::malformed(std::string_view why) const {
  const char* detail = archive_error_string(m_archive.get());
  fail(ErrorCode::package_malformed, "{} of the .deb: {}{}{}", printable(m_member.name), why,
       detail != nullptr ? ": " : "", detail != nullptr ? printable(detail) : "");
}

bool DebTar::next(DebEntry& out) {
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(m_archive.get(), &entry);
  if (status == ARCHIVE_EOF) return false;
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) malformed("the tar is broken");
  if (++m_entries > m_limits.max_entries) {
    fail(ErrorCode::limit_exceeded, "{} holds more than {} entries", m_member.name, m_limits.max_entries);
  }
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr) path = archive_entry_pathname_utf8(entry);
  if (path == nullptr) malformed("an entry has no readable name");
  out = DebEntry{};
  out.absolute = path[0] == '/';
  out.path = plain(path);
  out.type = type_of(entry);
  out.mode = archive_entry_perm(entry) & 07777u;
  out.size = archive_entry_size_is_set(entry)
                 ? static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)))
                 : 0;
  if (out.type == EntryType::hardlink) {
    out.target = plain(archive_entry_hardlink(entry));
  } else if (out.type == EntryType::symlink) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr) target = archive_entry_symlink_utf8(entry);
    if (target == nullptr) malformed("a symlink has no target");
    out.target = target;
  }
  if (out.type == EntryType::file && out.size > m_limits.max_unpacked - std::min(m_unpacked, m_limits.max_unpacked)) {
    fail(ErrorCode::limit_exceeded, "{} unpacks to more than {}", m_member.name, format_size(m_limits.max_unpacked));
  }
  return true;
}

std::size_t DebTar::read(std::span<std::uint8_t> buffer) {
  const auto got = archive_read_data(m_archive.get(), buffer.data(), buffer.size());
  if (got < 0) malformed("an entry cannot be read");
  m_unpacked += static_cast<std::uint64_t>(got);
  if (m_unpacked > m_limits.max_unpacked) {
    fail(ErrorCode::limit_exceeded, "{} unpacks to more than {}", m_member.name, format_size(m_limits.max_unpacked));
  }
  if (m_unpacked > m_limits.free_unpacked && m_unpacked / m_limits.max_ratio > m_member.size) {
    fail(ErrorCode::limit_exceeded, "{} unpacks to more than {} times its size", m_member.name, m_limits.max_ratio);
  }
  return static_cast<std::size_t>(got);
}

std::string DebTar::read_all(std::uint64_t max_bytes) {
  std::string out;
  std::array<std::uint8_t, 16384> buffer;
  while (const auto got = read(buffer)) {
    if (out.size() + got > max_bytes) {
      fail(ErrorCode::limit_exceeded, "a file of {} is larger than {} bytes", m_member.name, max_bytes);
    }
    out.append(as_text(std::span(buffer.data(), got)));
  }
  return out;
}

DebControl read_deb_control(int fd, const DebLayout& layout, DebLimits limits) {
  DebTar tar(fd, layout.control, limits);
  DebControl control;
  bool found = false;
  DebEntry entry;
  while (tar.next(entry)) {
    if (entry.path.find('/') != std::string::npos || entry.path == "..") {
      fail(ErrorCode::package_malformed, "control.tar holds '{}', which is in a folder", printable(entry.path));
    }
    if (entry.type == EntryType::folder && entry.path.empty()) continue;
    if (entry.type != EntryType::file) {
      fail(ErrorCode::package_malformed, "control.tar holds '{}', which is no plain file", printable(entry.path));
    }
    if (entry.path == "control") {
      if (found) fail(ErrorCode::package_malformed, "control.tar holds two files 'control'");
      found = true;
      control.text = tar.read_all(limits.max_control);
    } else {
      (void)tar.read_all(limits.max_control);
      if (std::find(k_scripts.begin(), k_scripts.end(), entry.path) != k_scripts.end()) {
        control.scripts.push_back(entry.path);
      }
    }
  }
  if (!found) fail(ErrorCode::package_malformed, "control.tar holds no file 'control'");
  std::sort(control.scripts.begin(), control.scripts.end());
  return control;
}

}  // namespace liftlock::apt
