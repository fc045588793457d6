#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/whole_number.hpp"
#include "net/address.hpp"
#include "offline/socket_address.hpp"
#include "offline/sockets.hpp"

namespace liftlock {
namespace {

using offline::NetworkView;
using offline::SocketEntry;
using offline::SocketState;

struct Options {
  std::string time = "10s";
  std::string unit;
  std::vector<pid_t> pids;
  std::vector<std::string> allow;
  bool strict = false;
};

constexpr std::chrono::milliseconds k_pause{200};
constexpr std::size_t k_max_seen = 10'000;

std::vector<Network> allowed_networks(const Options& options) {
  std::vector<Network> out;
  const auto add = [&](std::string_view text) {
    const auto network = Network::parse(text);
    if (!network) fail(ErrorCode::usage, "--allow: '{}' is no network such as 10.0.0.0/8", printable(text));
    out.push_back(*network);
  };
  if (options.allow.empty()) {
    for (const auto text : k_private_networks) add(text);
    for (const auto* text : {"169.254.0.0/16", "fe80::/10"}) add(text);
  } else {
    for (const auto* text : {"127.0.0.0/8", "::1/128"}) add(text);
    for (const auto& text : options.allow) add(text);
  }
  return out;
}

std::string end_text(const IpAddress& address, std::uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", address.text(), port) : fmt::format("[{}]:{}", address.text(), port);
}

bool is_connection(const SocketEntry& entry) {
  return entry.state != SocketState::listening && !offline::stays_here(entry.remote);
}

std::string key_of(const SocketEntry& entry) {
  return fmt::format("{} {} {} {} {}", entry.protocol, end_text(entry.local, entry.local_port),
                     end_text(entry.remote, entry.remote_port), entry.program,
                     entry.state == SocketState::listening ? "l" : "c");
}

/// Everything that was seen during the time, each once.
struct Watched {
  NetworkView last;
  std::map<std::string, SocketEntry> sockets;
  std::map<std::string, std::uint64_t> sent;  ///< by device, meanwhile
  unsigned looks = 0;
};

struct Target {
  std::vector<pid_t> of = {0};  ///< in whose network namespaces; 0: ours
  std::set<pid_t> only;
};

Target target_of(const Options& options) {
  Target out;
  out.only.insert(options.pids.begin(), options.pids.end());
  if (!options.unit.empty()) {
    const auto of_unit = offline::processes_of_unit(options.unit);
    if (of_unit.empty()) fail(ErrorCode::not_found, "the unit '{}' has no process", printable(options.unit));
    out.only.insert(of_unit.begin(), of_unit.end());
  }
  if (!out.only.empty()) out.of = offline::one_of_each_namespace(out.only);
  if (out.of.empty()) fail(ErrorCode::not_found, "the processes to be watched have ended");
  return out;
}

/// All that one look sees: a unit's processes may be in several network namespaces.
NetworkView look(const Target& target) {
  NetworkView out;
  std::size_t seen = 0;
  for (const auto of : target.of) {
    try {
      auto view = offline::look_at_network(of, target.only);
      const auto where = [&](const std::string& name) {
        return target.of.size() == 1 ? name : fmt::format("{} (of process {})", name, of);
      };
      for (auto& route : view.routes) {
        route.device = where(route.device);
        out.routes.push_back(std::move(route));
      }
      for (auto& one : view.resolvers) {
        if (std::find(out.resolvers.begin(), out.resolvers.end(), one) == out.resolvers.end())
          out.resolvers.push_back(std::move(one));
      }
      for (auto& socket : view.sockets) out.sockets.push_back(std::move(socket));
      for (const auto& [device, bytes] : view.sent) out.sent[where(device)] = bytes;
      out.programs_known = out.programs_known && view.programs_known;
      ++seen;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;  // it ended meanwhile
    }
  }
  if (seen == 0) fail(ErrorCode::not_found, "the processes to be watched have ended");
  return out;
}

Watched watch(const Options& options, std::chrono::seconds time) {
  Watched out;
  const auto end = std::chrono::steady_clock::now() + time;
  std::map<std::string, std::uint64_t> before;
  std::set<std::string> over;
  for (;;) {
    Target target;
    try {
      target = target_of(options);  // a unit starts and ends processes
      out.last = look(target);
    } catch (const Error& error) {
      // It ended while it was watched: what was seen of it counts.
      if (out.looks == 0 || error.code() != ErrorCode::not_found) throw;
      break;
    }
    if (!target.only.empty() && !out.last.programs_known) {
      throw Error(ErrorCode::io_error, "the sockets of these processes cannot all be seen", "run it as root");
    }
    const bool first = out.looks++ == 0;
    if (first) before = out.last.sent;
    for (const auto& entry : out.last.sockets) {
      // What was closing when the watch began belongs to what was before it.
      if (first && entry.state == offline::SocketState::closing) over.insert(key_of(entry));
      if (over.contains(key_of(entry))) continue;
      if (out.sockets.size() < k_max_seen) out.sockets.insert_or_assign(key_of(entry), entry);
    }
    if (std::chrono::steady_clock::now() >= end) break;
    std::this_thread::sleep_for(k_pause);
  }
  for (const auto& [device, bytes] : out.last.sent) {
    const auto earlier = before.find(device);
    out.sent[device] = earlier == before.end() || earlier->second > bytes ? bytes : bytes - earlier->second;
  }
  return out;
}

Json to_json(const SocketEntry& entry) {
  return {{"protocol", entry.protocol},
          {"state", name_of(entry.state)},
          {"local", end_text(entry.local, entry.local_port)},
          {"remote", end_text(entry.remote, entry.remote_port)},
          {"pid", entry.pid},
          {"program", printable(entry.program)}};
}

void run(Invocation& invocation, const Options& options) {
  const auto time = parse_duration(options.time);
  if (!time || *time > std::chrono::hours(24))
    fail(ErrorCode::usage, "--for: '{}' is no time such as 30s or 10m", printable(options.time));
  const auto own = allowed_networks(options);
  const Networks allowed(own);
  const auto seen = watch(options, *time);

  std::vector<const SocketEntry*> outside;
  auto connections = Json::array(), listening = Json::array();
  std::vector<std::vector<std::string>> rows{{"PROTOCOL", "STATE", "LOCAL", "REMOTE", "PID", "PROGRAM", ""}};
  for (const auto& [key, entry] : seen.sockets) {
    const bool connects = is_connection(entry);
    if (!connects && entry.state != SocketState::listening && entry.protocol == "tcp") continue;
    const bool out = connects && !allowed.contain(entry.remote);
    if (out) outside.push_back(&entry);
    (connects ? connections : listening).push_back(to_json(entry));
    rows.push_back({std::string(entry.protocol), std::string(name_of(entry.state)),
                    end_text(entry.local, entry.local_port), connects ? end_text(entry.remote, entry.remote_port) : "-",
                    entry.pid == 0 ? "?" : std::to_string(entry.pid), printable(entry.program), out ? "OUTSIDE" : ""});
  }
  auto routes = Json::array();
  std::string text = "routes:\n";
  std::vector<std::string> ways_out;
  for (const auto& route : seen.last.routes) {
    const bool leads_out = offline::leads_outside(route, own);
    if (leads_out) ways_out.push_back(route.destination);
    routes.push_back({{"destination", route.destination},
                      {"gateway", route.gateway},
                      {"device", printable(route.device)},
                      {"leads_outside", leads_out}});
    text += fmt::format("  {} {}{}{}\n", route.destination, route.gateway.empty() ? "" : "via " + route.gateway + " ",
                        printable(route.device), leads_out ? "  OUTSIDE" : "");
  }
  const bool could_leave = !ways_out.empty();
  if (seen.last.routes.empty()) text += "  none: nothing leaves this machine\n";
  Json resolvers = Json::array();
  text += "resolvers:\n";
  for (const auto& one : seen.last.resolvers) {
    resolvers.push_back(printable(one));
    text += fmt::format("  {}\n", printable(one));
  }
  text += fmt::format("sent in {}:\n", options.time);
  for (const auto& [device, bytes] : seen.sent) text += fmt::format("  {} {}\n", printable(device), format_size(bytes));
  text += format_table(rows);
  if (!seen.last.programs_known) text += "note: programs of other users are not named; run it as root to see them\n";
  const auto verdict =
      !outside.empty() ? fmt::format("LEFT: {} to addresses outside", counted(outside.size(), "connection"))
      : could_leave    ? fmt::format("could leave: a route leads outside ({}); no connection outside was seen",
                                     fmt::join(ways_out, ", "))
                       : std::string("cannot leave: no route leads outside, and no connection outside was seen");
  text += verdict + "\n";
  auto outside_json = Json::array();
  for (const auto* entry : outside) outside_json.push_back(to_json(*entry));
  const bool good = outside.empty() && !(options.strict && could_leave);
  Json sent = Json::object();
  for (const auto& [device, bytes] : seen.sent) sent[printable(device)] = bytes;
  invocation.print({{"good", good},
                    {"could_leave", could_leave},
                    {"left", outside_json},
                    {"routes", routes},
                    {"resolvers", resolvers},
                    {"connections", connections},
                    {"listening", listening},
                    {"sent", sent},
                    {"programs_known", seen.last.programs_known},
                    {"looks", seen.looks}},
                   [&] { return text; });
  if (good) return;
  if (!invocation.json()) {
    throw Error(ErrorCode::left_network, verdict,
                outside.empty()
                    ? "remove the routes that lead outside, name with --allow what is yours, or leave out --strict"
                    : "find out what the programs that are listed asked for; --allow names networks that are yours");
  }
  invocation.set_status(static_cast<int>(info(ErrorCode::left_network).error_class));
}

}  // namespace

void add_egress(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("egress", "See what leaves this machine, and what could");
  group->require_subcommand(1);
  auto* command = group->add_subcommand("watch", "Routes, resolvers and sockets with their programs, for a while");
  auto options = std::make_shared<Options>();
  command->add_option("--for", options->time, "How long: 30s, 10m")->type_name("TIME")->capture_default_str();
  command->add_option("--unit", options->unit, "Only the processes of this systemd unit, in their network namespace")
      ->type_name("NAME");
  command->add_option("--pid", options->pids, "Only this process, in its network namespace")
      ->check(whole_number(1, std::numeric_limits<pid_t>::max()))
      ->allow_extra_args(false)
      ->type_name("PID");
  command
      ->add_option("--allow", options->allow,
                   "A network that is the site's own (default: loopback, link-local, RFC 1918, RFC 4193)")
      ->allow_extra_args(false)
      ->type_name("CIDR");
  command->add_flag("--strict", options->strict, "A route that leads outside alone is bad news, too");
  command->footer(
      "Exit status 3: a connection to an address outside the site's networks was seen. Sockets are looked at five "
      "times a\n"
      "second: one that lives shorter can be missed, but not the bytes that a device sent. `liftlock offline` misses "
      "none.\n"
      "Example: liftlock egress watch --for 10m --unit open-webui.service --allow 10.20.0.0/16");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
