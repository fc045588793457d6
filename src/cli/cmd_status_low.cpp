#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "bundle/packed.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("status", {Zone::low});
  auto channels = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANNEL", "NEWEST", "PACKED", "BUNDLE", "NOT ACKNOWLEDGED"}};
  for (const auto& [channel, bundles] : packed_bundles(open_audit_log(invocation))) {
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
  invocation.print({{"channels", std::move(channels)}}, [&] {
    return rows.size() == 1 ? std::string("nothing was packed here yet\n") : format_table(rows);
  });
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("status", "Show how far each channel is: packed, and acknowledged");
  command->footer(
      "What is packed and not acknowledged may still be under way: name it with `liftlock pack --pending`.\n"
      "Example: liftlock status --json");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
