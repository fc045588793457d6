#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/packed.hpp"
#include "bundle/spoken.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string channel;
  std::uint64_t sequence = 0;
  std::vector<std::string> words;
};

/// @throws Error{not_found, expect_mismatch}
Digest acknowledged(const AuditLog& log, const Options& options) {
  const auto digest = packed_bundle(log, options.channel, options.sequence).digest;
  if (spoken_words(digest) != boost::algorithm::join(options.words, " ")) {
    throw Error(
        ErrorCode::expect_mismatch,
        fmt::format("these are not the words of bundle {} of channel {}", options.sequence, printable(options.channel)),
        "ask again for the words, in lower case; when they stay different, another bundle arrived than was packed: "
        "stop");
  }
  return digest;
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("acknowledge", {Zone::low});
  record_config(invocation, site);
  const auto digest = acknowledged(open_audit_log(invocation), options);
  note_of_bundle(invocation, k_acknowledge_event, options.channel, options.sequence, {{"bundle", digest.text()}},
                 "arrived: noted. `liftlock pack --since BUNDLE` may build on it.");
}

}  // namespace

void add_acknowledge(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("acknowledge", "Note that a bundle landed, from what the other side says aloud");
  auto options = std::make_shared<Options>();
  command->add_option("CHANNEL", options->channel, "The channel")->required();
  command->add_option("SEQUENCE", options->sequence, "The bundle's place in it")
      ->required()
      ->check(whole_number(1, k_max_exact));
  command->add_option("WORD", options->words, "The eight words")->required()->expected(8);
  command->footer(
      "The other side prints channel, sequence and words with `liftlock acknowledge`.\n"
      "Example: liftlock acknowledge demo 7 acid garlic panda otter tulip hazel comet radar");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
