#include "net/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_longest_address = 45;
constexpr std::size_t k_longest_name = 253;

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= k_longest_name && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool is_plain_path(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/-._~").find(c) != std::string_view::npos;
  });
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) {
  IpAddress address;
  address.m_is_v4 = true;
  std::copy(bytes.begin(), bytes.end(), address.m_bytes.begin());
  return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  constexpr std::array<std::uint8_t, 12> k_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(k_mapped.begin(), k_mapped.end(), bytes.begin()))
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  IpAddress address;
  address.m_bytes = bytes;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > k_longest_address) return std::nullopt;
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (::inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

std::string IpAddress::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(m_is_v4 ? AF_INET : AF_INET6, m_bytes.data(), text, sizeof text);
  return text;
}

std::optional<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto base = IpAddress::parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  const unsigned most = base->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return Network(*base, most);
  const auto bits = parse_uint(text.substr(slash + 1));
  if (!bits || *bits > most) return std::nullopt;
  const auto length = static_cast<unsigned>(*bits);
  for (unsigned bit = length; bit < most; ++bit) {
    if ((base->bytes()[bit / 8] & (0x80u >> (bit % 8))) != 0) return std::nullopt;
  }
  return Network(*base, length);
}

bool Network::contains(const IpAddress& address) const {
  if (address.is_v4() != m_base.is_v4()) return false;
  for (unsigned bit = 0; bit < m_bits; ++bit) {
    if (((address.bytes()[bit / 8] ^ m_base.bytes()[bit / 8]) & (0x80u >> (bit % 8))) != 0) return false;
  }
  return true;
}

bool Networks::contain(const IpAddress& address) const {
  return std::any_of(m_networks.begin(), m_networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

std::optional<HttpAddress> HttpAddress::parse(std::string_view text) {
  HttpAddress out;
  out.tls = take_prefix(text, "https://");
  if (!out.tls && !take_prefix(text, "http://")) return std::nullopt;
  const auto slash = text.find('/');
  auto authority = text.substr(0, slash);
  if (slash != std::string_view::npos) out.path = text.substr(slash);
  while (out.path.ends_with('/')) out.path.pop_back();
  if (!is_plain_path(out.path)) return std::nullopt;
  if (take_prefix(authority, "[")) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = authority.substr(0, end);
    authority.remove_prefix(end + 1);
    if (out.host.find(':') == std::string::npos || !IpAddress::parse(out.host)) return std::nullopt;
  } else {
    out.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(out.host.size());
    if (!is_host_name(out.host)) return std::nullopt;
  }
  out.port = out.tls ? 443 : 80;
  if (authority.empty()) return out;
  if (!take_prefix(authority, ":")) return std::nullopt;
  const auto port = parse_uint(authority);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  out.port = static_cast<std::uint16_t>(*port);
  return out;
}

std::string HttpAddress::authority() const {
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

std::string HttpAddress::text() const {
  return fmt::format("{}://{}{}", tls ? "https" : "http", authority(), path);
}

std::string network_of_peer(std::string_view peer) {
  constexpr std::size_t k_max_peer = 64, k_network_bytes = 8;
  const auto address = IpAddress::parse(peer.substr(0, peer.find('%')));
  if (!address) return std::string(peer.substr(0, k_max_peer));
  if (address->is_v4()) return address->text();
  auto network = address->bytes();
  std::fill(network.begin() + k_network_bytes, network.end(), std::uint8_t{0});
  return IpAddress::v6(network).text();
}

}  // namespace liftlock
