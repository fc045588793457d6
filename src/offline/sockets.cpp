#include "offline/sockets.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::offline {
namespace {

constexpr std::uint64_t k_max_table = 64u << 20;
constexpr std::size_t k_max_sockets = 200'000;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  while (!line.empty()) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    out.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return out;
}

std::optional<std::uint32_t> hex_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Addresses stand there as numbers of 32 bits of this machine, in hex: "0100007F" is 127.0.0.1 here.
std::optional<IpAddress> machine_address(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < hex.size(); at += 8) {
    const auto part = hex_number(hex.substr(at, 8));
    if (!part) return std::nullopt;
    std::memcpy(bytes.data() + at / 2, &*part, 4);
  }
  if (hex.size() == 32) return IpAddress::v6(bytes);
  return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

bool take_end(std::string_view text, IpAddress& address, std::uint16_t& port) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto ip = machine_address(text.substr(0, colon));
  const auto number = hex_number(text.substr(colon + 1));
  if (!ip || !number || *number > 0xffff) return false;
  address = *ip, port = static_cast<std::uint16_t>(*number);
  return true;
}

/// The numbers of include/net/tcp_states.h.
SocketState state_of(unsigned number, std::string_view protocol) {
  if (protocol != "tcp") return number == 1 ? SocketState::established : SocketState::unconnected;
  switch (number) {
    case 1:
      return SocketState::established;
    case 2:
    case 3:
      return SocketState::connecting;
    case 10:
      return SocketState::listening;
    default:
      return SocketState::closing;
  }
}

std::string text_or_empty(const std::string& path) {
  try {
    return read_file(path, k_max_table);
  } catch (const Error&) {
    return {};
  }
}

std::string link_target(const std::string& path) {
  char out[4096];
  const auto size = ::readlink(path.c_str(), out, sizeof out);
  return size < 0 ? std::string() : std::string(out, static_cast<std::size_t>(size));
}

std::string program_of(pid_t pid) {
  auto out = link_target(fmt::format("/proc/{}/exe", pid));
  if (out.empty()) out = std::string(trim(text_or_empty(fmt::format("/proc/{}/comm", pid))));
  return out;
}

/// Calls f(inode, pid) for each socket of each process. false where some processes could not be looked into.
template <typename F>
bool each_socket(F&& f) {
  bool all = true;
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const auto pid = parse_uint(process.path().filename().string());
    if (!pid) continue;
    std::error_code closed;
    fs::directory_iterator fds(process.path() / "fd", closed);
    all = all && (!closed || closed == std::errc::no_such_file_or_directory);
    for (; !closed && fds != fs::directory_iterator(); fds.increment(closed)) {
      const auto target = link_target(fds->path().string());
      if (!target.starts_with("socket:[")) continue;
      if (const auto inode = parse_uint(std::string_view(target).substr(8, target.size() - 9))) {
        f(*inode, static_cast<pid_t>(*pid));
      }
    }
  }
  return all;
}

}  // namespace

bool RouteEntry::is_default() const {
  return destination == "0.0.0.0/0" || destination == "::/0";
}

std::string_view name_of(SocketState state) {
  switch (state) {
    case SocketState::listening:
      return "listening";
    case SocketState::established:
      return "established";
    case SocketState::connecting:
      return "connecting";
    case SocketState::closing:
      return "closing";
    case SocketState::unconnected:
      return "unconnected";
  }
  return "unconnected";
}

std::vector<SocketEntry> parse_socket_table(std::string_view text, std::string_view protocol) {
  std::vector<SocketEntry> out;
  for (const auto line : split(text, '\n')) {
    const auto words = words_of(line);
    if (words.size() < 10 || out.size() >= k_max_sockets) continue;
    const auto nothing = IpAddress::v4({});
    SocketEntry entry{.protocol = protocol, .local = nothing, .remote = nothing};
    const auto state = hex_number(words[3]);
    const auto user = parse_uint(words[7]), inode = parse_uint(words[9]);
    if (!take_end(words[1], entry.local, entry.local_port) || !take_end(words[2], entry.remote, entry.remote_port) ||
        !state || !user || !inode) {
      continue;
    }
    entry.state = state_of(*state, protocol);
    entry.user = static_cast<uid_t>(*user), entry.inode = *inode;
    out.push_back(std::move(entry));
  }
  return out;
}

bool leads_outside(const RouteEntry& route, const std::vector<Network>& own) {
  const auto slash = route.destination.find('/');
  const auto first = IpAddress::parse(std::string_view(route.destination).substr(0, slash));
  const auto bits = parse_uint(std::string_view(route.destination).substr(slash + 1));
  if (!first || !bits) return true;
  auto bytes = std::vector<std::uint8_t>(first->bytes().begin(), first->bytes().end());
  const std::size_t size = first->is_v4() ? 4 : 16;
  for (auto bit = *bits; bit < size * 8; ++bit) bytes[bit / 8] |= static_cast<std::uint8_t>(0x80u >> (bit % 8));
  std::array<std::uint8_t, 16> v6{};
  std::copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size), v6.begin());
  const auto last = first->is_v4() ? IpAddress::v4({v6[0], v6[1], v6[2], v6[3]}) : IpAddress::v6(v6);
  // A network that holds both ends of a range of this kind holds all of it.
  const auto holds = [&](const Network& network) { return network.contains(*first) && network.contains(last); };
  return std::none_of(own.begin(), own.end(), holds) && !holds(*Network::parse("224.0.0.0/4")) &&
         !holds(*Network::parse("ff00::/8"));
}

std::vector<RouteEntry> parse_routes(std::string_view text) {
  constexpr std::uint64_t k_reject = 0x200;
  std::vector<RouteEntry> out;
  for (const auto line : split(text, '\n')) {
    const auto words = words_of(line);
    if (words.size() < 8) continue;
    const auto destination = machine_address(words[1]), gateway = machine_address(words[2]);
    const auto flags = hex_number(words[3]), mask = hex_number(words[7]);
    if (!destination || !gateway || !flags || !mask || (*flags & 1) == 0 || (*flags & k_reject) != 0) continue;
    const bool direct = (*flags & 2) == 0;
    out.push_back({fmt::format("{}/{}", destination->text(), std::popcount(*mask)),
                   direct ? std::string() : gateway->text(), std::string(words[0])});
  }
  return out;
}

std::vector<RouteEntry> parse_routes6(std::string_view text) {
  constexpr std::uint32_t k_up = 1, k_gateway = 2, k_reject = 0x200, k_local = 0x80000000;
  std::vector<RouteEntry> out;
  for (const auto line : split(text, '\n')) {
    const auto words = words_of(line);
    if (words.size() < 10 || words[0].size() != 32 || words[4].size() != 32 || words[9] == "lo") continue;
    const auto bits = hex_number(words[1]), flags = hex_number(words[8]);
    const auto destination = decode_hex(words[0]), gateway = decode_hex(words[4]);
    if (!bits || *bits > 128 || !flags || !destination || !gateway) continue;
    if ((*flags & k_up) == 0 || (*flags & (k_reject | k_local)) != 0) continue;
    std::array<std::uint8_t, 16> to{}, via{};
    std::copy(destination->begin(), destination->end(), to.begin());
    std::copy(gateway->begin(), gateway->end(), via.begin());
    out.push_back({fmt::format("{}/{}", IpAddress::v6(to).text(), *bits),
                   (*flags & k_gateway) != 0 ? IpAddress::v6(via).text() : std::string(), std::string(words[9])});
  }
  return out;
}

std::vector<std::string> parse_resolvers(std::string_view text) {
  std::vector<std::string> out;
  for (const auto line : split(text, '\n')) {
    const auto words = words_of(line);
    if (words.size() >= 2 && words[0] == "nameserver" && out.size() < 64) out.emplace_back(words[1]);
  }
  return out;
}

std::map<std::string, std::uint64_t> parse_sent(std::string_view text) {
  std::map<std::string, std::uint64_t> out;
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = trim(line.substr(0, colon));
    const auto words = words_of(line.substr(colon + 1));
    if (name == "lo" || words.size() < 9) continue;
    if (const auto sent = parse_uint(words[8])) out.emplace(name, *sent);
  }
  return out;
}

NetworkView look_at_network(pid_t of, const std::set<pid_t>& only) {
  const auto folder = fmt::format("/proc/{}", of == 0 ? std::string("self") : std::to_string(of));
  if (!fs::exists(folder)) fail(ErrorCode::not_found, "there is no process {}", of);
  const auto table = [&](const char* name) { return text_or_empty(folder + "/net/" + name); };
  NetworkView out;
  out.routes = parse_routes(table("route"));
  for (auto& route : parse_routes6(table("ipv6_route"))) out.routes.push_back(std::move(route));
  out.resolvers = parse_resolvers(text_or_empty((of == 0 ? std::string() : folder + "/root") + "/etc/resolv.conf"));
  out.sent = parse_sent(table("dev"));
  for (const auto& [file, protocol] : std::array<std::pair<const char*, std::string_view>, 6>{
           {{"tcp", "tcp"}, {"tcp6", "tcp"}, {"udp", "udp"}, {"udp6", "udp"}, {"raw", "raw"}, {"raw6", "raw"}}}) {
    for (auto& entry : parse_socket_table(table(file), protocol)) out.sockets.push_back(std::move(entry));
  }
  std::map<std::uint64_t, pid_t> holders;
  out.programs_known = each_socket([&](std::uint64_t inode, pid_t pid) {
    if (only.empty() || only.contains(pid)) holders.emplace(inode, pid);
  });
  for (auto& entry : out.sockets) {
    const auto found = holders.find(entry.inode);
    if (found == holders.end()) continue;
    entry.pid = found->second;
    entry.program = program_of(found->second);
  }
  if (!only.empty()) std::erase_if(out.sockets, [](const auto& entry) { return entry.pid == 0; });
  return out;
}

std::set<pid_t> processes_of_unit(const std::string& unit) {
  const auto shown =
      run_process_checked({.argv = {"systemctl", "show", "--property=LoadState,ControlGroup", "--", unit},
                           .input = {},
                           .set_environment = {},
                           .unset_environment = {}});
  std::string group;
  for (const auto line : split(shown.output, '\n')) {
    if (line.starts_with("ControlGroup=")) group = line.substr(13);
    if (line == "LoadState=not-found") {
      throw Error(ErrorCode::not_found, fmt::format("there is no unit '{}'", printable(unit)),
                  "`systemctl list-units` lists the units there are");
    }
  }
  std::set<pid_t> out;
  if (group.empty() || group.find("..") != std::string::npos) return out;
  const auto add = [&](const fs::path& folder) {
    const auto text = text_or_empty((folder / "cgroup.procs").string());
    for (const auto line : split(text, '\n')) {
      if (const auto pid = parse_uint(line)) out.insert(static_cast<pid_t>(*pid));
    }
  };
  const fs::path top = "/sys/fs/cgroup" + group;
  add(top);
  // Groups come and go while they are walked: one that is gone ends the walk, which is then begun again.
  for (int walk = 0; walk < 10; ++walk) {
    std::error_code error, ignored;
    for (fs::recursive_directory_iterator entry(top, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->is_directory(ignored)) add(entry->path());
    }
    if (!error) break;
  }
  return out;
}

std::vector<pid_t> one_of_each_namespace(const std::set<pid_t>& processes) {
  std::vector<pid_t> out;
  std::set<fs::path> seen;
  for (const auto pid : processes) {
    std::error_code error;
    const auto space = fs::read_symlink(fmt::format("/proc/{}/ns/net", pid), error);
    // What cannot be told apart is looked at by itself.
    if (error == std::errc::no_such_file_or_directory || error == std::errc::no_such_process) continue;
    if (error || seen.insert(space).second) out.push_back(pid);
  }
  return out;
}

}  // namespace liftlock::offline
