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
  if (options.reason.empty()) fail(ErrorCode::reason_required, "a hold keeps what others want erased");
  const auto site = record_site(invocation, "record hold");
  const Json detail = {{"reason", options.reason}};
  recorded_effect(invocation, "record.hold", options.id, detail, [&] {
    RecordKeeper(site.records_folder())
        .hold(options.id, {.reason = options.reason, .actor = invocation.actor(), .time = now()});
  });
  invocation.print({{"id", options.id}, {"held", true}},
                   [&] { return fmt::format("{} is held until it is released\n", options.id); });
}

}  // namespace

void add_record_hold(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("hold", "Keep a record from being erased or expiring (legal hold)");
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->id, "As `liftlock record find` shows it")->required();
  add_reason(*command, options->reason, "Why, for the audit log");
  command->footer("Example: liftlock record hold 01KASX5B3VCHWM2QJ4R8ZT0N6E --reason 'court case 12'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
