#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "record/record_keeper.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string older_than;
  bool dry_run = false;
};

std::chrono::seconds retention(const Options& options, const Site& site) {
  if (options.older_than.empty()) {
    if (site.config().record_keep) return *site.config().record_keep;
    throw Error(ErrorCode::usage, "nothing says how long records are kept",
                "give --older-than 365d, or set keep = \"6y\" under [record] of config.toml");
  }
  if (const auto age = parse_retention(options.older_than)) return *age;
  fail(ErrorCode::usage, "--older-than wants a duration such as 365d or 6y, not '{}'", printable(options.older_than));
}

void run(Invocation& invocation, const Options& options) {
  const auto site = record_site(invocation, "record expire");
  const auto before = now() - retention(options, site);
  RecordKeeper keeper(site.records_folder());
  auto expired = keeper.expire(before, RecordKeeper::Do::count);
  if (!options.dry_run && expired.records > 0) {
    const Json detail = {{"before", format_time(before)}, {"records", expired.records}, {"held", expired.held}};
    recorded_effect(invocation, "record.expire", "records", detail,
                    [&] { expired = keeper.expire(before, RecordKeeper::Do::erase); });
  }
  const Json json = {{"before", format_time(before)},
                     {"dry_run", options.dry_run},
                     {"records", expired.records},
                     {"held", expired.held},
                     {"segments", expired.segments}};
  invocation.print(json, [&] {
    return fmt::format("{} {} from before {}; {} held\n", options.dry_run ? "would erase" : "erased",
                       counted(expired.records, "record"), format_time(before), expired.held);
  });
}

}  // namespace

void add_record_expire(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("expire", "Erase what is older than it is to be kept, but for what is held");
  auto options = std::make_shared<Options>();
  command->add_option("--older-than", options->older_than, "365d, 6y; default: keep of [record] in config.toml");
  command->add_flag("--dry-run", options->dry_run, "Say what would go, erase nothing");
  command->footer("Example: liftlock record expire --older-than 6y --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
