// Where a connection of ours may go: addresses of servers as a site writes them, and ranges of addresses (CIDR,
// RFC 4632) that it allows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address is the IPv4 address in it: both lead to the same place.
class IpAddress {
 public:
  /// Without brackets or a zone. nullopt for anything else.
  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress v4(const std::array<std::uint8_t, 4>& bytes);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);

  bool is_v4() const { return m_is_v4; }
  /// The first 4 of them for IPv4.
  const std::array<std::uint8_t, 16>& bytes() const { return m_bytes; }
  std::string text() const;

 private:
  IpAddress() = default;
  bool m_is_v4 = false;
  std::array<std::uint8_t, 16> m_bytes{};
};

class Network {
 public:
  /// "10.0.0.0/8", "fc00::/7", or one address. nullopt for anything else, also for a range whose address has bits past
  /// its length: who wrote it meant something else.
  static std::optional<Network> parse(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  Network(IpAddress base, unsigned bits) : m_base(base), m_bits(bits) {}
  IpAddress m_base;
  unsigned m_bits;
};

class Networks {
 public:
  explicit Networks(std::vector<Network> networks) : m_networks(std::move(networks)) {}
  bool contain(const IpAddress& address) const;

 private:
  std::vector<Network> m_networks;
};

/// What counts as one peer: of an IPv6 address its first 64 bits, for the rest is for its holder to choose (RFC 4291
/// §2.5.4). @param peer an address, with a zone or without; anything else is one by itself, in its first 64 bytes
std::string network_of_peer(std::string_view peer);

/// Loopback, RFC 1918 and RFC 4193: what no route leads out of a site for.
inline constexpr std::array<std::string_view, 6> k_private_networks = {"127.0.0.0/8",   "::1/128",        "10.0.0.0/8",
                                                                       "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};

/// "http://10.0.0.5:8000", "https://[fd00::5]/inference": scheme, host, port and the path before all others.
struct HttpAddress {
  bool tls = false;
  std::string host;  ///< a name, or an address without brackets
  std::uint16_t port = 0;
  std::string path;  ///< "" or "/inference"; no slash at the end

  /// nullopt for anything else, also with a user, a query or a fragment.
  static std::optional<HttpAddress> parse(std::string_view text);
  /// For the field Host.
  std::string authority() const;
  std::string text() const;
};

}  // namespace liftlock
