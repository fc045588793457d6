#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/packed.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/site_alarms.hpp"
#include "cli/witness_view.hpp"
#include "store/catalog.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("status", {Zone::low});
  auto channels = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANNEL", "NEWEST", "PACKED", "BUNDLE", "NOT ACKNOWLEDGED", "GIVEN UP"}};
  const auto log = open_audit_log(invocation);
  const auto when = now();
  const auto standings = Meetings(site).standings(log, when);
  std::optional<Timestamp> newest_date;
  std::vector<std::string> differences;
  std::optional<Catalog> catalog;
  if (fs::exists(site.catalog_file())) catalog.emplace(site.catalog_file(), Access::read);
  const auto trouble = trust_trouble(site, log);
  const auto lost_key = lost_key_text(site);
  const auto forks = unsettled_forks(log);
  const TrustStore trust(site.trust_folder());
  if (trouble.empty() && !trust.empty()) newest_date = trust.current().created;
  for (const auto& [channel, bundles] : packed_bundles(log)) {
    if (bundles.empty()) continue;
    // Not the latest of all: a clock that was ahead once, and set right, is wrong no more.
    const auto packed = bundles.rbegin()->second.packed;
    newest_date = std::max(newest_date.value_or(packed), packed);
    auto waiting = Json::array(), given_up = Json::array();
    std::vector<std::string> numbers, given_up_numbers;
    for (const auto& [sequence, bundle] : bundles) {
      if (bundle.acknowledged) continue;
      if (bundle.abandoned) {
        given_up.push_back({{"sequence", sequence}, {"reason", *bundle.abandoned}});
        given_up_numbers.push_back(std::to_string(sequence));
      } else {
        waiting.push_back(sequence);
        numbers.push_back(std::to_string(sequence));
      }
    }
    if (catalog) {
      if (const auto why = last_packed(*catalog, log, channel).trouble(); !why.empty())
        differences.push_back(fmt::format("{}: {}", channel, why));
    } else {
      differences.push_back(fmt::format("{}: the catalog is not there", channel));
    }
    const auto& [newest, bundle] = *bundles.rbegin();
    channels.push_back({{"channel", channel},
                        {"newest", newest},
                        {"packed", format_time(bundle.packed)},
                        {"bundle", bundle.digest.text()},
                        {"not_acknowledged", std::move(waiting)},
                        {"given_up", std::move(given_up)}});
    rows.push_back({printable(channel), std::to_string(newest), format_time(bundle.packed), bundle.digest.text(),
                    boost::algorithm::join(numbers, " "), boost::algorithm::join(given_up_numbers, " ")});
  }
  // The machine's own clock: SOURCE_DATE_EPOCH sets what goes into documents, not what the log says.
  const auto clock = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const bool clock_is_behind = newest_date && *newest_date > clock + std::chrono::minutes(10);
  invocation.print(
      {{"channels", std::move(channels)},
       {"clock_is_behind", clock_is_behind},
       {"differences", differences},
       {"audit_key_lost", !lost_key.empty()},
       {"trust", {{"trouble", trouble.empty() ? Json() : Json(trouble)}, {"forks", forks_json(forks)}}},
       {"witnesses", witnesses_json(standings)}},
      [&] {
        auto alarm = lost_key + standing_text({.revoked = {}, .unjudged = {}, .trouble = trouble}) + forks_text(forks);
        for (const auto& one : differences) alarm += fmt::format("PACKED: {}\n", printable(one));
        if (!differences.empty())
          alarm += "  the next bundle gets the sequence after the greater of both; find out what was lost\n";
        if (clock_is_behind) {
          alarm += fmt::format("clock: this machine's clock says {}, and something was signed here at {}\n",
                               format_time(clock), format_time(*newest_date));
        }
        return (rows.size() == 1 ? std::string("nothing was packed here yet\n") : format_table(rows)) + alarm +
               witnesses_text(standings, when);
      });
  const bool is_alarm =
      clock_is_behind || !trouble.empty() || !differences.empty() || !lost_key.empty() || !forks.empty();
  const auto status = std::max(status_of(standings), is_alarm ? static_cast<int>(ErrorClass::policy) : 0);
  if (status != 0) invocation.set_status(status);
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("status", "Show how far each channel is: packed, and acknowledged");
  command->footer(
      "Where config.toml names witnesses of the audit log, they are listed, and the exit status is 3 when one was not "
      "met\n"
      "in time, when this machine's clock is behind what was signed here, when root statements are lost that the log\n"
      "tells of or its private key, when a signed fork of them was met, or when catalog and log differ in what was "
      "packed last; 4 when the log is not what "
      "it saw.\n"
      "What is packed and not acknowledged may still be under way: name it with `liftlock pack --pending`, or\n"
      "say that it will never arrive with `liftlock abandon`.\n"
      "Example: liftlock status --json");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
