// What a network namespace has: routes, resolvers, addresses, sockets with the programs that hold them. From /proc
// (proc_net(5), proc_pid_fd(5)); read-only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.hpp"

namespace liftlock::offline {

struct RouteEntry {
  std::string destination;  ///< "0.0.0.0/0"
  std::string gateway;      ///< empty: the network itself
  std::string device;
  bool is_default() const;
};

enum class SocketState : std::uint8_t { listening, established, connecting, closing, unconnected };
std::string_view name_of(SocketState state);

struct SocketEntry {
  std::string_view protocol;  ///< "tcp", "udp", "raw"
  IpAddress local, remote;
  std::uint16_t local_port = 0, remote_port = 0;
  SocketState state = SocketState::unconnected;
  std::uint64_t inode = 0;
  uid_t user = 0;
  // Where this user may see them:
  pid_t pid = 0;
  std::string program;
};

/// Does it lead to an address that lies in none of these networks? The default route does, and so do its two halves,
/// with which VPN clients overrule it. Multicast stays on the link.
bool leads_outside(const RouteEntry& route, const std::vector<Network>& own);

// The tables of /proc/PID/net; lines that are none are skipped.
std::vector<SocketEntry> parse_socket_table(std::string_view text, std::string_view protocol);
std::vector<RouteEntry> parse_routes(std::string_view text);
std::vector<RouteEntry> parse_routes6(std::string_view text);
/// `nameserver` lines of resolv.conf.
std::vector<std::string> parse_resolvers(std::string_view text);
/// Bytes sent by each device but the loopback, of /proc/net/dev.
std::map<std::string, std::uint64_t> parse_sent(std::string_view text);

struct NetworkView {
  std::vector<RouteEntry> routes;  ///< that lead further than the machine itself
  std::vector<std::string> resolvers;
  std::vector<SocketEntry> sockets;
  std::map<std::string, std::uint64_t> sent;
  bool programs_known = true;  ///< false: sockets of other users' programs are without their names
};

/// @param of whose network namespace; 0: ours
/// @param only processes whose sockets are wanted; empty: all of the namespace
/// @throws Error{not_found, io_error}
NetworkView look_at_network(pid_t of, const std::set<pid_t>& only);

/// One process of each network namespace that these are in; those that ended are passed over.
std::vector<pid_t> one_of_each_namespace(const std::set<pid_t>& processes);

/// Processes of a systemd unit, by its control group; empty where it has none. @throws Error{not_found, tool_missing}
std::set<pid_t> processes_of_unit(const std::string& unit);

}  // namespace liftlock::offline
