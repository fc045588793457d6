#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/channel.hpp"
#include "bundle/spoken.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string channel;
  std::uint64_t sequence = 0;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("acknowledge", {Zone::ingest});
  const auto history = channel_history(open_audit_log(invocation), options.channel);
  const auto sequence = options.sequence != 0 ? options.sequence : history.newest();
  const auto found = history.seen.find(sequence);
  if (history.seen.empty()) {
    fail(ErrorCode::not_found, "no bundle of channel {} was accepted here", printable(options.channel));
  }
  if (found == history.seen.end()) {
    fail(ErrorCode::not_found, "no bundle {} of channel {} was accepted here", sequence, printable(options.channel));
  }
  if (const auto withheld = history.withheld.find(sequence); withheld != history.withheld.end()) {
    invocation.reporter().warn(
        fmt::format("it landed in part: {} artifacts are withheld. Say so, for the low side must not build on them",
                    withheld->second));
  }
  const auto words = spoken_words(found->second);
  invocation.print(
      {{"channel", options.channel}, {"sequence", sequence}, {"bundle", found->second.text()}, {"words", words}},
      [&] { return fmt::format("{} {} {}\n", options.channel, sequence, words); });
}

}  // namespace

void add_acknowledge(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("acknowledge", "Print what to say to the low side about a bundle that landed");
  auto options = std::make_shared<Options>();
  command->add_option("CHANNEL", options->channel, "The channel")->required();
  command->add_option("SEQUENCE", options->sequence, "Default: the newest that was accepted")
      ->check(whole_number(1, k_max_exact));
  command->footer(
      "Channel, sequence and eight words of the digest of bundle.json: nothing but a voice needs to leave.\n"
      "Example: liftlock acknowledge demo 7");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
