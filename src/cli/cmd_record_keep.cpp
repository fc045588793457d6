// What is done to one record, with a reason: hold, release, erase.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "cli/reason_option.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "record/record_keeper.hpp"

namespace liftlock {
namespace {

struct Act {
  std::string name;         ///< of the command, and of the event: record.NAME
  std::string description;  ///< of the command
  std::string why_reason;   ///< why it has to be given one
  std::string result;       ///< as JSON tells it: "held"
  std::string told;         ///< as people are told: "ID is …"
  std::string example;      ///< a reason
  std::function<void(RecordKeeper&, const std::string& id, const RecordKeeper::Hold&)> act;
};

struct Options {
  std::string id;
  std::string reason;
};

void run(Invocation& invocation, const Act& act, const Options& options) {
  if (options.reason.empty()) throw Error(ErrorCode::reason_required, act.why_reason);
  const auto site = record_site(invocation, "record " + act.name);
  recorded_effect(invocation, "record." + act.name, options.id, {{"reason", options.reason}}, [&] {
    RecordKeeper keeper(site.records_folder());
    act.act(keeper, options.id, {.reason = options.reason, .actor = invocation.actor(), .time = now()});
  });
  invocation.print({{"id", options.id}, {act.result, true}},
                   [&] { return fmt::format("{} is {}\n", options.id, act.told); });
}

void add(CLI::App& group, Invocation& invocation, Act act) {
  auto* command = group.add_subcommand(act.name, act.description);
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->id, "As `liftlock record find` shows it")->required();
  add_reason(*command, options->reason, "Why, for the audit log");
  command->footer(
      fmt::format("Example: liftlock record {} 01KASX5B3VCHWM2QJ4R8ZT0N6E --reason '{}'", act.name, act.example));
  command->callback([&invocation, options, act = std::move(act)] { run(invocation, act, *options); });
}

}  // namespace

void add_record_keep(CLI::App& group, Invocation& invocation) {
  add(group, invocation,
      {.name = "erase",
       .description = "Destroy the key of a record: nobody can read it any more, the audit log stays whole",
       .why_reason = "an erasure cannot be undone",
       .result = "erased",
       .told = "erased",
       .example = "request of the person, ticket 12",
       .act = [](auto& keeper, const auto& id, const auto&) { keeper.erase(id); }});
  add(group, invocation,
      {.name = "hold",
       .description = "Keep a record from being erased or expiring (legal hold)",
       .why_reason = "a hold keeps what others want erased",
       .result = "held",
       .told = "held until it is released",
       .example = "court case 12",
       .act = [](auto& keeper, const auto& id, const auto& hold) { keeper.hold(id, hold); }});
  add(group, invocation,
      {.name = "release",
       .description = "End the hold of a record",
       .why_reason = "what is released can be erased",
       .result = "released",
       .told = "released",
       .example = "court case 12 ended",
       .act = [](auto& keeper, const auto& id, const auto&) { keeper.release(id); }});
}

}  // namespace liftlock
