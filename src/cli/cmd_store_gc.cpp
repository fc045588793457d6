#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/interrupt.hpp"
#include "cli/program.hpp"
#include "cli/store_view.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

/// Sets of stacks, as fetch names them.
constexpr std::string_view k_stack_set = "stack/";

struct Options {
  bool dry_run = false;
  std::string abandoned_after = "30d";
  std::vector<std::string> forget;  ///< stacks
};

/// What a stack's lock has the store keep, as far as the store has bytes of its own for it.
struct Held {
  std::string stack;
  std::uint64_t bytes = 0;
  std::uint64_t alone = 0;  ///< of these, what no other stack holds
};

/// What is left after gc, and why.
struct Left {
  std::vector<WaitingBatch> batches;
  std::vector<PinSummary> pins;  ///< without a batch
  std::vector<Held> stacks;
  std::uint64_t required = 0;  ///< bytes that publications and stacks hold together
  std::size_t publications = 0;
  std::size_t quarantined = 0;
  std::uint64_t quarantined_bytes = 0;
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

/// Calls with all sets that hold a file, for each file of which the store has bytes of its own.
void for_each_set_file(const OpenStore& store, const std::function<void(std::span<const Catalog::SetFile>)>& each) {
  const auto files = store.catalog.set_files();
  for (auto first = files.begin(); first != files.end();) {
    const auto end = std::find_if(first, files.end(), [&](const auto& file) { return file.digest != first->digest; });
    if (store.blobs.holds(first->digest)) each({first, end});
    first = end;
  }
}

std::vector<Held> stacks_of(const OpenStore& store) {
  std::map<std::string, Held> out;
  for (const auto& set : store.catalog.sets()) {
    if (set.starts_with(k_stack_set)) out[set] = {.stack = set.substr(k_stack_set.size()), .bytes = 0, .alone = 0};
  }
  if (out.empty()) return {};
  for_each_set_file(store, [&](std::span<const Catalog::SetFile> holders) {
    for (const auto& holder : holders) {
      const auto stack = out.find(holder.set);
      if (stack == out.end()) continue;
      stack->second.bytes += holder.size;
      if (holders.size() == 1) stack->second.alone += holder.size;
    }
  });
  std::vector<Held> list;
  for (auto& [name, held] : out) list.push_back(std::move(held));
  return list;
}

bool is_among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What nobody needs once these stacks are forgotten.
std::vector<SizedDigest> only_of(const OpenStore& store, const std::vector<std::string>& stacks) {
  std::vector<SizedDigest> out;
  if (stacks.empty()) return out;
  for_each_set_file(store, [&](std::span<const Catalog::SetFile> holders) {
    const bool all = std::all_of(holders.begin(), holders.end(), [&](const auto& holder) {
      return holder.set.starts_with(k_stack_set) && is_among(stacks, holder.set.substr(k_stack_set.size()));
    });
    if (all) out.push_back({holders[0].digest, holders[0].size});
  });
  return out;
}

Left look_at_what_is_left(const Site& site, const OpenStore& store, std::vector<Held> stacks) {
  Left out;
  out.batches = waiting_batches(store.blobs);
  for (auto& pin : store.catalog.pins()) {
    const bool waits =
        std::any_of(out.batches.begin(), out.batches.end(), [&](const auto& batch) { return batch.name == pin.name; });
    if (!waits) out.pins.push_back(std::move(pin));
  }
  out.stacks = std::move(stacks);
  for (const auto& [digest, size] : store.catalog.required()) out.required += store.blobs.holds(digest) ? size : 0;
  for (const auto& one : store.catalog.publications()) out.publications += one.artifact_count > 0 ? 1 : 0;
  std::error_code none;
  for (const auto& file : fs::directory_iterator(site.store_folder() / "quarantine", none)) {
    ++out.quarantined;
    if (const auto size = file.file_size(none); !none) out.quarantined_bytes += size;
  }
  return out;
}

/// A run that is only tried leaves what it would remove.
void leave_out(Left& left, const Abandoned& abandoned, std::uint64_t forgotten) {
  const auto same_name = [](const auto& one) { return [&one](const auto& other) { return other.name == one.name; }; };
  std::erase_if(left.batches, [&](const auto& batch) {
    return std::any_of(abandoned.batches.begin(), abandoned.batches.end(), same_name(batch));
  });
  std::erase_if(left.pins, [&](const auto& pin) {
    return std::any_of(abandoned.pins.begin(), abandoned.pins.end(), same_name(pin));
  });
  left.required -= std::min(left.required, forgotten);
}

Json left_json(const Left& left) {
  Json out = {
      {"bytes", left.required},   {"publications", left.publications},
      {"batches", Json::array()}, {"pins", Json::array()},
      {"stacks", Json::array()},  {"quarantine", {{"files", left.quarantined}, {"bytes", left.quarantined_bytes}}}};
  for (const auto& batch : left.batches) {
    out["batches"].push_back({{"name", batch.name},
                              {"size", batch.size},
                              {"touched", format_time(batch.touched)},
                              {"running", batch.running}});
  }
  for (const auto& pin : left.pins) {
    out["pins"].push_back({{"name", pin.name}, {"pins", pin.count}, {"touched", format_time(pin.since)}});
  }
  for (const auto& held : left.stacks) {
    out["stacks"].push_back({{"name", held.stack}, {"bytes", held.bytes}, {"alone", held.alone}});
  }
  return out;
}

/// Each thing that holds space, and the command that lets go of it.
void say_what_is_left(Reporter& reporter, const Left& left) {
  const bool low = side_name() == "low";
  for (const auto& batch : left.batches) {
    if (batch.running) {
      reporter.note(fmt::format("kept: {} of {}, on which a process works now", format_size(batch.size), batch.name));
      continue;
    }
    reporter.note(
        fmt::format("kept: {} of {}, which a run left at {}; the same command again goes on with it, and `liftlock gc "
                    "--abandoned-after 0s` lets it go",
                    format_size(batch.size), batch.name, format_time(batch.touched)));
  }
  for (const auto& pin : left.pins) {
    reporter.note(fmt::format("kept: {} that {} wanted at {}; `liftlock gc --abandoned-after 0s` lets them go",
                              counted(pin.count, "file"), pin.name, format_time(pin.since)));
  }
  for (const auto& held : left.stacks) {
    if (held.bytes == 0) continue;  // its files stay where they are
    reporter.note(fmt::format(
        "kept: {} of the stack {} ({} of no other); `liftlock gc --forget-stack {}` lets go of it, until it is fetched "
        "again",
        format_size(held.bytes), held.stack, format_size(held.alone), held.stack));
  }
  if (!low && left.publications > 0) {
    reporter.note(fmt::format(
        "kept: {} held by {}; `liftlock ls --publications` lists them, and `liftlock retire` takes them out of use",
        format_size(left.required), counted(left.publications, "publication")));
  }
  if (left.quarantined > 0) {
    reporter.note(fmt::format("kept: {} in quarantine, {}: look at store/quarantine, and remove what lies there",
                              counted(left.quarantined, "file"), format_size(left.quarantined_bytes)));
  }
}

void require_stacks(const std::vector<Held>& stacks, const std::vector<std::string>& forget) {
  for (const auto& name : forget) {
    if (std::any_of(stacks.begin(), stacks.end(), [&](const auto& held) { return held.stack == name; })) continue;
    std::vector<std::string> names;
    for (const auto& held : stacks) names.push_back(printable(held.stack));
    throw Error(ErrorCode::not_found, fmt::format("no stack '{}' is held here", printable(name)),
                names.empty() ? "no stack is" : fmt::format("these are: {}", fmt::join(names, ", ")));
  }
}

/// Removes it, between its entries in the log; returns the blobs that went.
std::vector<SizedDigest> collect(Invocation& invocation, const Site& site, OpenStore& store, const Options& options,
                                 const Abandoned& abandoned, const std::vector<SizedDigest>& foreseen) {
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  const auto tell = [&](Outcome outcome, const Json& detail) {
    log.append({.type = "store.gc",
                .actor = invocation.actor(),
                .outcome = outcome,
                .subject = "store",
                .detail = dump_json_line(detail)});
  };
  tell(Outcome::intent, {{"blobs", foreseen.size()},
                         {"bytes", total(foreseen)},
                         {"batches", abandoned.batches.size()},
                         {"pins", abandoned.pins.size()},
                         {"reference_lists", abandoned.lists.size()},
                         {"forget_stacks", options.forget}});
  try {
    remove_abandoned(store.blobs, store.catalog, abandoned);
    for (const auto& name : options.forget) store.catalog.remove_set(std::string(k_stack_set) + name);
    auto removed = remove_garbage(store.blobs, store.catalog, find_garbage(store.blobs, store.catalog));
    tell(Outcome::success, {{"blobs", removed.size()}, {"bytes", total(removed)}});
    return removed;
  } catch (const Error& error) {
    tell(Outcome::failure, {{"error", info(error.code()).slug}});
    throw;
  }
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
  auto stacks = stacks_of(store);
  require_stacks(stacks, options.forget);
  const auto abandoned = find_abandoned(store.blobs, store.catalog, now() - *age);
  auto shown = find_garbage(store.blobs, store.catalog);
  const auto forgotten = only_of(store, options.forget);
  shown.insert(shown.end(), forgotten.begin(), forgotten.end());
  const bool idle = abandoned.batches.empty() && abandoned.pins.empty() && abandoned.lists.empty() && shown.empty() &&
                    options.forget.empty();
  if (!options.dry_run && !idle) shown = collect(invocation, site, store, options, abandoned, shown);

  std::vector<Held> kept = stacks;
  std::erase_if(kept, [&](const auto& held) { return is_among(options.forget, held.stack); });
  auto left = look_at_what_is_left(site, store, std::move(kept));
  if (options.dry_run) leave_out(left, abandoned, total(forgotten));
  Json digests = Json::array();
  for (const auto& blob : shown) digests.push_back(blob.digest.text());
  const Json json = {{"dry_run", options.dry_run},
                     {"blobs", shown.size()},
                     {"bytes", total(shown)},
                     {"digests", digests},
                     {"abandoned", abandoned_json(abandoned)},
                     {"forgotten_stacks", options.forget},
                     {"left", left_json(left)}};
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
    for (const auto& held : stacks) {
      if (!options.dry_run || !is_among(options.forget, held.stack)) continue;
      out += fmt::format("\nwould let go of the stack {}: {} that no other holds", printable(held.stack),
                         format_size(held.alone));
    }
    return out;
  });
  say_what_is_left(invocation.reporter(), left);
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
  if (side_name() == "low") {
    command
        ->add_option("--forget-stack", options->forget,
                     "Also let go of what the lock of this stack names; `liftlock fetch` brings it again")
        ->type_name("NAME");
  }
  command->footer(
      "Says what it kept, why, and which command lets go of it.\n"
      "Example: liftlock gc --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
