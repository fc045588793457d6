#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/interrupt.hpp"
#include "cli/store_view.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

struct Options {
  bool dry_run = false;
  std::string abandoned_after = "30d";
};

Json abandoned_json(const Abandoned& abandoned) {
  Json out = Json::array();
  for (const auto& batch : abandoned.batches) {
    out.push_back({{"name", batch.name}, {"size", batch.size}, {"touched", format_time(batch.touched)}});
  }
  for (const auto& pin : abandoned.pins) {
    out.push_back({{"name", pin.name}, {"pins", pin.count}, {"touched", format_time(pin.since)}});
  }
  for (const auto& list : abandoned.lists) {
    out.push_back({{"name", list.name}, {"references", list.digests.size()}, {"touched", format_time(list.touched)}});
  }
  return out;
}

std::uint64_t total(const std::vector<SizedDigest>& blobs) {
  std::uint64_t sum = 0;
  for (const auto& blob : blobs) sum += blob.size;
  return sum;
}

void run(Invocation& invocation, const Options& options) {
  resume_after_interrupt();
  const auto age = parse_duration(options.abandoned_after);
  if (!age)
    fail(ErrorCode::usage, "--abandoned-after wants a duration such as 30d or 12h, not '{}'", options.abandoned_after);
  const auto site = invocation.site();
  std::optional<GcReserve> reserve;
  if (!options.dry_run) site.require_own();
  if (!options.dry_run && site.exists()) reserve.emplace(site.store_folder());
  OpenStore store(site, "gc", options.dry_run ? Access::read : Access::write);
  const auto abandoned = find_abandoned(store.blobs, store.catalog, now() - *age);
  auto garbage = find_garbage(store.blobs, store.catalog);
  std::vector<SizedDigest> removed;
  const bool idle = abandoned.batches.empty() && abandoned.pins.empty() && abandoned.lists.empty() && garbage.empty();
  if (!options.dry_run && !idle) {
    record_config(invocation, site);
    AuditLog log(site.audit_folder(), "");
    const auto tell = [&](Outcome outcome, const Json& detail) {
      log.append({.type = "store.gc",
                  .actor = invocation.actor(),
                  .outcome = outcome,
                  .subject = "store",
                  .detail = dump_json_line(detail)});
    };
    tell(Outcome::intent, {{"blobs", garbage.size()},
                           {"bytes", total(garbage)},
                           {"batches", abandoned.batches.size()},
                           {"pins", abandoned.pins.size()},
                           {"reference_lists", abandoned.lists.size()}});
    remove_abandoned(store.blobs, store.catalog, abandoned);
    if (!abandoned.pins.empty() || !abandoned.batches.empty()) garbage = find_garbage(store.blobs, store.catalog);
    removed = remove_garbage(store.blobs, store.catalog, garbage);
    tell(Outcome::success, {{"blobs", removed.size()}, {"bytes", total(removed)}});
  }
  const auto& shown = options.dry_run ? garbage : removed;
  Json digests = Json::array();
  for (const auto& blob : shown) digests.push_back(blob.digest.text());
  const Json json = {{"dry_run", options.dry_run},
                     {"blobs", shown.size()},
                     {"bytes", total(shown)},
                     {"digests", digests},
                     {"abandoned", abandoned_json(abandoned)}};
  invocation.print(json, [&] {
    auto out = fmt::format("{} {}, {}", options.dry_run ? "would remove" : "removed", counted(shown.size(), "blob"),
                           format_size(total(shown)));
    for (const auto& batch : abandoned.batches) {
      out += fmt::format("\nabandoned batch {}, {}, last touched {}", printable(batch.name), format_size(batch.size),
                         format_time(batch.touched));
    }
    for (const auto& pin : abandoned.pins) {
      out += fmt::format("\nabandoned pins {}: {} since {}", printable(pin.name), counted(pin.count, "digest"),
                         format_time(pin.since));
    }
    for (const auto& list : abandoned.lists) {
      out += fmt::format("\nabandoned references {}: {} since {}", printable(list.name),
                         counted(list.digests.size(), "file"), format_time(list.touched));
    }
    return out;
  });
}

}  // namespace

void add_store_gc(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("gc", "Remove blobs that nothing references or pins; safe while serving and ingesting");
  auto options = std::make_shared<Options>();
  command->add_flag("--dry-run", options->dry_run, "Say what would go, remove nothing");
  command->add_option(
      "--abandoned-after", options->abandoned_after,
      "Also drop staging batches, pins, and unused lists of references to local files, that no process touched "
      "for so long (default 30d)");
  command->footer("Example: liftlock gc --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
