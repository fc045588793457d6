#include "offline/unix_doors.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock::offline {
namespace {

constexpr std::array<std::string_view, 4> k_name_services = {"/run/nscd/socket", "/var/run/nscd/socket",
                                                             "/run/systemd/resolve/*", "/var/lib/sss/pipes/*"};
constexpr std::size_t k_max_sockets = 100'000;

void take_attributes(std::string_view bytes, BoundSocket& socket) {
  rtattr attribute{};
  while (bytes.size() >= sizeof attribute) {
    std::memcpy(&attribute, bytes.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > bytes.size()) return;
    const auto payload = bytes.substr(RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0));
    if (attribute.rta_type == UNIX_DIAG_NAME) {
      socket.name = payload;
      if (!socket.name.empty() && socket.name[0] != '\0') socket.name.resize(std::strlen(socket.name.c_str()));
    } else if (unix_diag_vfs file{}; attribute.rta_type == UNIX_DIAG_VFS && payload.size() >= sizeof file) {
      std::memcpy(&file, payload.data(), sizeof file);
      socket.device = file.udiag_vfs_dev, socket.inode = file.udiag_vfs_ino;
    }
    bytes.remove_prefix(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), bytes.size()));
  }
}

/// The kernel's own form of a device number (MKDEV).
std::uint32_t kernel_device(dev_t device) {
  return static_cast<std::uint32_t>(major(device) << 20 | minor(device));
}

std::string link_target(const std::string& path) {
  char out[4096];
  const auto size = ::readlink(path.c_str(), out, sizeof out);
  return size < 0 ? std::string() : std::string(out, static_cast<std::size_t>(size));
}

/// The file that the process means, looked up from its root without leaving it.
UniqueFd open_as(pid_t process, const std::string& path) {
  const UniqueFd root(::open(fmt::format("/proc/{}/root", process).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return {};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool is_inside(const std::vector<BoundSocket>& sockets, pid_t process, int file, const struct stat& status) {
  const auto device = kernel_device(status.st_dev);
  const auto inode = static_cast<std::uint32_t>(status.st_ino);
  if (std::any_of(sockets.begin(), sockets.end(),
                  [&](const auto& one) { return one.device == device && one.inode == inode; })) {
    return true;
  }
  // What stat(2) says of a file in an overlay is not what the kernel's list says: there, the name has to do.
  struct statfs system {};
  if (::fstatfs(file, &system) != 0 || system.f_type != OVERLAYFS_SUPER_MAGIC) return false;
  return std::any_of(sockets.begin(), sockets.end(), [&](const auto& one) {
    if (!one.name.starts_with('/')) return false;
    const auto there = open_as(process, one.name);
    struct stat found {};
    return there.valid() && ::fstat(there.get(), &found) == 0 && is_same(found, status);
  });
}

}  // namespace

bool parse_unix_dump(std::string_view bytes, std::vector<BoundSocket>& out) {
  nlmsghdr header{};
  while (bytes.size() >= sizeof header) {
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return true;
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return true;
    constexpr auto k_fixed = NLMSG_ALIGN(sizeof(nlmsghdr)) + NLMSG_ALIGN(sizeof(unix_diag_msg));
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY && header.nlmsg_len >= k_fixed && out.size() < k_max_sockets) {
      BoundSocket socket;
      take_attributes(bytes.substr(k_fixed, header.nlmsg_len - k_fixed), socket);
      if (!socket.name.empty()) out.push_back(std::move(socket));
    }
    bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), bytes.size()));
  }
  return false;
}

std::optional<std::vector<BoundSocket>> bound_sockets(int diagnosis) {
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } ask{};
  ask.header.nlmsg_len = sizeof ask;
  ask.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  ask.request.sdiag_family = AF_UNIX;
  ask.request.udiag_states = ~0u;
  ask.request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS;
  if (::send(diagnosis, &ask, sizeof ask, 0) != sizeof ask) return std::nullopt;
  std::vector<BoundSocket> out;
  std::vector<char> buffer(64u << 10);
  for (;;) {
    pollfd wait{diagnosis, POLLIN, 0};
    if (::poll(&wait, 1, 2000) <= 0) return std::nullopt;
    const auto got = ::recv(diagnosis, buffer.data(), buffer.size(), 0);
    if (got <= 0) return std::nullopt;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    nlmsghdr first{};
    if (bytes.size() < sizeof first) return std::nullopt;
    std::memcpy(&first, bytes.data(), sizeof first);
    if (first.nlmsg_type == NLMSG_ERROR) return std::nullopt;
    if (parse_unix_dump(bytes, out)) return out;
  }
}

Door find_door(int diagnosis, pid_t process, std::string_view path) {
  Door door{.path = std::string(path)};
  if (!path.starts_with('/')) door.path = link_target(fmt::format("/proc/{}/cwd", process)) + "/" + door.path;
  const auto root = link_target(fmt::format("/proc/{}/root", process));
  if (root.size() > 1 && !path.starts_with('/') && door.path.starts_with(root)) door.path.erase(0, root.size());
  // /proc/self would be ours.
  door.path = std::filesystem::path(door.path).lexically_normal().string();
  for (const std::string_view self : {"/proc/self/", "/proc/thread-self/"}) {
    if (door.path.starts_with(self)) door.path = fmt::format("/proc/{}/{}", process, door.path.substr(self.size()));
  }
  const auto file = open_as(process, door.path);
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    door.place = file.valid() || errno == ENOENT || errno == ENOTDIR ? Door::Place::absent : Door::Place::outside;
    return door;
  }
  const auto sockets = bound_sockets(diagnosis);
  door.place = sockets && is_inside(*sockets, process, file.get(), status) ? Door::Place::inside : Door::Place::outside;
  return door;
}

bool is_name_service(std::string_view path) {
  return std::any_of(k_name_services.begin(), k_name_services.end(),
                     [&](auto pattern) { return matches_glob(pattern, path); });
}

}  // namespace liftlock::offline
