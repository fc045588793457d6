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
  if (options.reason.empty()) fail(ErrorCode::reason_required, "what is released can be erased");
  const auto site = record_site(invocation, "record release");
  const Json detail = {{"reason", options.reason}};
  recorded_effect(invocation, "record.release", options.id, detail,
                  [&] { RecordKeeper(site.records_folder()).release(options.id); });
  invocation.print({{"id", options.id}, {"released", true}},
                   [&] { return fmt::format("{} is released\n", options.id); });
}

}  // namespace

void add_record_release(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("release", "End the hold of a record");
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->id, "As `liftlock record find` shows it")->required();
  add_reason(*command, options->reason, "Why, for the audit log");
  command->footer("Example: liftlock record release 01KASX5B3VCHWM2QJ4R8ZT0N6E --reason 'court case 12 ended'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
