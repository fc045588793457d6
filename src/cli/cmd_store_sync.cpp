#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/pool_settings.hpp"
#include "cli/reason_option.hpp"
#include "cli/remote_server.hpp"
#include "sync/sync.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string from;
  std::string every;
  bool once = false;
  bool accept_expired = false;
  bool restore_retired = false;
  std::string reason;
};

const SyncConfig& sync_config(const Site& site, const Options& options) {
  const auto& config = site.config().sync;
  if (!config) {
    throw Error(ErrorCode::config_invalid, "config.toml names no peer to take bundles from",
                "write [sync] with peer, ring and, for https, ca_file; docs/guides/production-nodes.md shows how");
  }
  if (!options.from.empty() && options.from != config->peer) {
    throw Error(ErrorCode::source_unknown,
                fmt::format("the peer of this node is {}, not '{}'", config->peer, printable(options.from)),
                "a node takes from the peer of its config.toml only: correct [sync] peer, or the command");
  }
  return *config;
}

Peer peer_of(const Site& site, const SyncConfig& config) {
  return {.server = remote_server(site, {.table = "[sync]",
                                         .key = "peer",
                                         .address = config.peer,
                                         .ca_file = config.ca_file,
                                         .allow_http = config.allow_http,
                                         .sends_secret = config.token_file.has_value()}),
          .token = config.token_file ? read_credential(*config.token_file) : "",
          .patience = config.patience};
}

Json json_of(const SyncConfig& config, const SyncResult& result) {
  auto taken = Json::array();
  for (const auto& one : result.taken) {
    taken.push_back({{"channel", one.info.channel},
                     {"sequence", one.info.sequence},
                     {"digest", one.digest.text()},
                     {"files", one.files},
                     {"bytes", one.bytes},
                     {"new_blobs", one.new_blobs},
                     {"notes", one.notes}});
  }
  return {{"peer", config.peer},       {"ring", config.ring},           {"taken", std::move(taken)},
          {"retired", result.retired}, {"withdrawn", result.withdrawn}, {"notes", result.notes}};
}

std::string text_of(const SyncResult& result) {
  std::string out;
  for (const auto& one : result.taken) {
    out += fmt::format("took {}/{}: {}, {}, {} new in the store\n", one.info.channel, one.info.sequence,
                       counted(one.files, "file"), format_size(one.bytes), one.new_blobs);
    for (const auto& note : one.notes) out += "note: " + note + "\n";
  }
  for (const auto& one : result.retired) out += fmt::format("out of use, as at the peer: {}\n", one);
  for (const auto& one : result.withdrawn) out += fmt::format("out of use, as at the peer: {}\n", printable(one));
  return out.empty() ? "nothing new\n" : out;
}

void look(Invocation& invocation, const Options& options) {
  // Read anew each time: what a person corrects holds from the next look on.
  const auto site = invocation.site();
  site.require_zone("store sync", {Zone::production});
  require_known_kinds(site.config());
  site.require_own();
  const auto& config = sync_config(site, options);
  record_config(invocation, site);
  const SyncRequest request{.config = config,
                            .peer = peer_of(site, config),
                            .actor = invocation.actor(),
                            .inspect = make_inspect(),
                            .accept_expired = options.accept_expired,
                            .restore_retired = options.restore_retired,
                            .reason = options.reason};
  const auto result = sync_once(site, request, invocation.reporter());
  invocation.print(json_of(config, result), [&] { return text_of(result); });
  std::fflush(stdout);
}

void run(Invocation& invocation, const Options& options) {
  if (options.every.empty()) {
    resume_after_interrupt();
    return look(invocation, options);
  }
  const auto every = parse_duration(options.every);
  if (!every || every->count() < 1) {
    fail(ErrorCode::usage, "--every wants a time such as 10m, not '{}'", printable(options.every));
  }
  if (options.once || options.accept_expired || options.restore_retired) {
    fail(ErrorCode::usage, "--every goes with no override and not with --once: a person overrides once");
  }
  // What is wrong with the installation ends it at once; what goes wrong in one look may be well in the next.
  invocation.site().require_zone("store sync", {Zone::production});
  sync_config(invocation.site(), options);
  resume_after_interrupt();
  while (true) {
    try {
      look(invocation, options);
    } catch (const Error& error) {
      if (info(error.code()).error_class == ErrorClass::usage) throw;
      invocation.reporter().warn(fmt::format("error[{}]: {}; {}; the next look is in {}", info(error.code()).slug,
                                             error.what(), error.hint(), options.every));
    }
    std::this_thread::sleep_for(*every);
  }
}

}  // namespace

void add_store(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("store", "Take bundles from the ingest node of this network");
  group->require_subcommand(1);
  auto* command =
      group->add_subcommand("sync", "Take what is new in this node's ring; verify it again; all or nothing");
  auto options = std::make_shared<Options>();
  command->add_option("--from", options->from, "The peer; must be the one of config.toml, which is the default")
      ->type_name("URL");
  command->add_flag("--once", options->once, "Look once (the default)");
  command->add_option("--every", options->every, "Look again after so long, until it is ended: 10m")->type_name("TIME");
  command->add_flag("--accept-expired", options->accept_expired, "Accept a bundle past its expiry; needs --reason");
  command->add_flag("--restore-retired", options->restore_retired,
                    "Bring back what was retired here and is in use at the peer; needs --reason");
  add_reason(*command, options->reason, "Why a rule is overridden; written to the audit log");
  command->footer(
      "config.toml's [sync] says where from, and which ring. Killed or cut off at any point it leaves nothing "
      "visible;\n"
      "the same command checks what it has, goes on from that, and takes no byte from the peer twice.\n"
      "Example: liftlock store sync --once");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
