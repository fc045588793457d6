#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/reason_option.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "record/record_keeper.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string id;
  std::string reason;
};

void run(Invocation& invocation, const Options& options) {
  if (options.reason.empty()) fail(ErrorCode::reason_required, "an erasure cannot be undone");
  const auto site = record_site(invocation, "record erase");
  const Json detail = {{"reason", options.reason}};
  recorded_effect(invocation, "record.erase", options.id, detail,
                  [&] { RecordKeeper(site.records_folder()).erase(options.id); });
  invocation.print({{"id", options.id}, {"erased", true}}, [&] { return fmt::format("{} is erased\n", options.id); });
}

}  // namespace

void add_record_erase(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand(
      "erase", "Destroy the key of a record: nobody can read it any more, the audit log stays whole");
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->id, "As `liftlock record find` shows it")->required();
  add_reason(*command, options->reason, "Why, for the audit log");
  command->footer(
      "Example: liftlock record erase 01KASX5B3VCHWM2QJ4R8ZT0N6E --reason 'request of the person, ticket 12'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
