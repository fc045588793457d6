// Which Unix sockets lead out of a network namespace. Those with a name in the file system do not care about network
// namespaces: whoever may open the file can talk to a daemon outside, and ask it to use its network.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::offline {

struct BoundSocket {
  std::string name;                     ///< as it was bound
  std::uint32_t device = 0, inode = 0;  ///< of the socket's file, as the kernel numbers them; 0: abstract, or unlinked
};

/// Answers of sock_diag(7) to a dump of Unix sockets; what is no such answer is skipped. @return whether the dump is
/// over
bool parse_unix_dump(std::string_view bytes, std::vector<BoundSocket>& out);

/// The sockets with a file that the namespace of this NETLINK_SOCK_DIAG socket has. nullopt: the kernel cannot tell.
std::optional<std::vector<BoundSocket>> bound_sockets(int diagnosis);

/// What became of a path that a process connects to.
struct Door {
  std::string path;  ///< from the root of the process
  enum class Place : std::uint8_t { inside, outside, absent } place = Place::absent;
};
Door find_door(int diagnosis, pid_t process, std::string_view path);

/// Is it where names of users and hosts are asked for? Programs do so all the time and live without: it is refused, and
/// not held against them.
bool is_name_service(std::string_view path);

}  // namespace liftlock::offline
