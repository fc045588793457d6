#include "offline/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace liftlock::offline {

socklen_t to_socket_address(const IpAddress& address, std::uint16_t port, sockaddr_storage& out) {
  out = {};
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET, v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), 4);
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6, v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

std::optional<GivenAddress> parse_socket_address(std::span<const std::uint8_t> bytes) {
  GivenAddress out;
  sa_family_t family = 0;
  if (bytes.size() < sizeof family) return std::nullopt;
  std::memcpy(&family, bytes.data(), sizeof family);
  out.family = family;
  if (family == AF_INET) {
    sockaddr_in v4{};
    if (bytes.size() < sizeof v4) return std::nullopt;
    std::memcpy(&v4, bytes.data(), sizeof v4);
    std::array<std::uint8_t, 4> ip{};
    std::memcpy(ip.data(), &v4.sin_addr, ip.size());
    out.ip = IpAddress::v4(ip), out.port = ntohs(v4.sin_port);
  } else if (family == AF_INET6) {
    sockaddr_in6 v6{};
    constexpr std::size_t k_without_scope = 24;  // SIN6_LEN_RFC2133: what the kernel asks for
    if (bytes.size() < k_without_scope) return std::nullopt;
    std::memcpy(&v6, bytes.data(), std::min(bytes.size(), sizeof v6));
    std::array<std::uint8_t, 16> ip{};
    std::memcpy(ip.data(), &v6.sin6_addr, ip.size());
    out.ip = IpAddress::v6(ip), out.port = ntohs(v6.sin6_port);
  } else if (family == AF_UNIX) {
    const auto path = bytes.subspan(offsetof(sockaddr_un, sun_path));
    const std::string_view text(reinterpret_cast<const char*>(path.data()), path.size());
    out.path = text.empty() || text[0] == '\0' ? text : text.substr(0, text.find('\0'));
  }
  return out;
}

bool stays_here(const IpAddress& address) {
  const auto& bytes = address.bytes();
  if (address.is_v4()) return bytes[0] == 127 || (bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 0 && bytes[3] == 0);
  return std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; }) && bytes[15] <= 1;
}

}  // namespace liftlock::offline
