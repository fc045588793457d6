// Reads a .deb (deb(5)): a strict ar(5) of exactly debian-binary, control.tar.* and data.tar.*, the two tars through
// libarchive. Everything is bounded before it is believed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct archive;
struct archive_entry;

namespace liftlock {
class DescriptorInput;
}

namespace liftlock::apt {

struct DebLimits {
  std::uint64_t max_control = 4u << 20;       ///< bytes of one file of control.tar
  std::size_t max_entries = 1'000'000;        ///< of each tar
  std::uint64_t max_unpacked = 64ull << 30;   ///< bytes of all files of each tar together
  std::uint64_t free_unpacked = 64ull << 20;  ///< up to here the ratio is not looked at
  std::uint64_t max_ratio = 400;              ///< unpacked : packed, beyond free_unpacked
};

/// Where a member stands in the file.
struct DebMember {
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct DebLayout {
  DebMember control;
  DebMember data;
};

/// @throws Error{package_malformed} unless the file is an ar of format 2.0 with the members in dpkg's order and nothing
/// else, save members after data.tar whose names begin with '_' (deb(5) lets dpkg ignore those)
DebLayout read_deb_layout(int fd);

enum class EntryType : std::uint8_t { file, folder, symlink, hardlink, device, fifo, other };

struct DebEntry {
  std::string path;  ///< as it stands, without a leading "./" and trailing '/'; empty for the root folder
  EntryType type = EntryType::other;
  unsigned mode = 0;  ///< permission bits with setuid, setgid and sticky
  std::uint64_t size = 0;
  std::string target;     ///< of symlinks and hard links, as it stands; hard links without a leading "./"
  bool absolute = false;  ///< the path began with '/'
};

/// One of the tars, entry by entry. Not shared between threads.
class DebTar {
 public:
  /// @param fd stays open as long as this object; its offset is not used
  DebTar(int fd, const DebMember& member, DebLimits limits = {});
  ~DebTar();
  DebTar(const DebTar&) = delete;
  DebTar& operator=(const DebTar&) = delete;

  /// @throws Error{package_malformed, limit_exceeded}
  bool next(DebEntry& entry);
  /// Bytes of the current entry; 0 at its end.
  std::size_t read(std::span<std::uint8_t> buffer);
  /// The whole current entry.
  std::string read_all(std::uint64_t max_bytes);

 private:
  [[noreturn]] void malformed(std::string_view why) const;
  std::unique_ptr<DescriptorInput> m_input;
  struct Free {
    void operator()(archive* handle) const;
  };
  std::unique_ptr<archive, Free> m_archive;
  DebMember m_member;
  DebLimits m_limits;
  std::size_t m_entries = 0;
  std::uint64_t m_unpacked = 0;
};

/// What stands in control.tar.
struct DebControl {
  std::string text;                  ///< the file `control`
  std::vector<std::string> scripts;  ///< maintainer scripts that are present: "postinst" …
};
DebControl read_deb_control(int fd, const DebLayout& layout, DebLimits limits = {});

}  // namespace liftlock::apt
