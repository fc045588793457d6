#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "bundle/packed.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/witness_view.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("status", {Zone::low});
  auto channels = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANNEL", "NEWEST", "PACKED", "BUNDLE", "NOT ACKNOWLEDGED"}};
  const auto log = open_audit_log(invocation);
  const auto when = now();
  const auto standings = Meetings(site).standings(log, when);
  for (const auto& [channel, bundles] : packed_bundles(log)) {
    auto waiting = Json::array();
    std::vector<std::string> numbers;
    for (const auto& [sequence, bundle] : bundles) {
      if (bundle.acknowledged) continue;
      waiting.push_back(sequence);
      numbers.push_back(std::to_string(sequence));
    }
    const auto& [newest, bundle] = *bundles.rbegin();
    channels.push_back({{"channel", channel},
                        {"newest", newest},
                        {"packed", format_time(bundle.packed)},
                        {"bundle", bundle.digest.text()},
                        {"not_acknowledged", std::move(waiting)}});
    rows.push_back({printable(channel), std::to_string(newest), format_time(bundle.packed), bundle.digest.text(),
                    boost::algorithm::join(numbers, " ")});
  }
  invocation.print({{"channels", std::move(channels)}, {"witnesses", witnesses_json(standings)}}, [&] {
    return (rows.size() == 1 ? std::string("nothing was packed here yet\n") : format_table(rows)) +
           witnesses_text(standings, when);
  });
  if (const auto status = status_of(standings); status != 0) invocation.set_status(status);
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("status", "Show how far each channel is: packed, and acknowledged");
  command->footer(
      "Where config.toml names witnesses of the audit log, they are listed, and the exit status is 3 when one was not "
      "met\n"
      "in time, 4 when the log is not what it saw.\n"
      "What is packed and not acknowledged may still be under way: name it with `liftlock pack --pending`.\n"
      "Example: liftlock status --json");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
