// Socket addresses as the kernel has them.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/address.hpp"

namespace liftlock::offline {

/// Fills `out`; its size. Async-signal-safe.
socklen_t to_socket_address(const IpAddress& address, std::uint16_t port, sockaddr_storage& out);

/// An address that a program gave to the kernel.
struct GivenAddress {
  int family = AF_UNSPEC;
  std::optional<IpAddress> ip;  ///< for AF_INET and AF_INET6
  std::uint16_t port = 0;
  std::string path;  ///< for AF_UNIX; an abstract one begins with a zero byte
};
/// Of bytes from another process: any bytes. nullopt when they are too short for their family.
std::optional<GivenAddress> parse_socket_address(std::span<const std::uint8_t> bytes);

/// 127.0.0.0/8, ::1, and the unspecified addresses, which lead to this machine as well.
bool stays_here(const IpAddress& address);

}  // namespace liftlock::offline
