#include "bundle/fetch_lock.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/collectors.hpp"
#include "cli/commands.hpp"
#include "cli/inspection.hpp"
#include "cli/stack_session.hpp"

namespace liftlock {
namespace {

struct Options {
  StackOptions stack;
  bool frozen = false;
};

/// The lock to fetch: as it is with --frozen, else brought up to date first.
LockFile current_lock(StackSession& session, const Options& options) {
  if (options.frozen) return read_lock_file(session.lock_file());
  auto found = read_lock_file_if_exists(session.lock_file());
  if (found && why_stale(session.stack(), found->lock).empty()) return std::move(*found);
  auto locked = session.lock({});
  return {std::move(locked.result.lock), locked.saved.digest};
}

void run(Invocation& invocation, const Options& options) {
  StackSession session(invocation, "fetch", options.stack);
  const auto file = current_lock(session, options);
  FetchLockResult result;
  session.audited("stack.fetch", [&] {
    Catalog catalog(session.site().catalog_file());
    result = fetch_lock(session.stack(), file.lock, collectors(), session.context(), catalog, make_inspect());
    return Json{{"lock", file.digest.text()},
                {"artifacts", result.artifacts},
                {"files", result.files},
                {"fetched", result.fetched},
                {"bytes", result.fetched_bytes}};
  });
  const Json json = {{"stack", session.stack().name},
                     {"artifacts", result.artifacts},
                     {"files", result.files},
                     {"bytes", result.bytes},
                     {"fetched", result.fetched},
                     {"fetched_bytes", result.fetched_bytes},
                     {"already_there", result.files - result.fetched},
                     {"already_there_bytes", result.bytes - result.fetched_bytes},
                     {"inspected", result.inspected},
                     {"requests", session.requests()}};
  invocation.print(json, [&] {
    return fmt::format("{}: {}, {}, {}\nfetched {} ({}), {} ({}) in the store already\n", session.stack().name,
                       counted(result.artifacts, "artifact"), counted(result.files, "file"), format_size(result.bytes),
                       result.fetched, format_size(result.fetched_bytes), result.files - result.fetched,
                       format_size(result.bytes - result.fetched_bytes));
  });
}

}  // namespace

void add_fetch(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("fetch", "Get everything that the lock names into the store, and inspect it");
  auto options = std::make_shared<Options>();
  add_stack_options(*command, options->stack);
  command->add_flag("--frozen", options->frozen, "Refuse a lock that is missing or not that of the stack");
  command->footer(
      "Without --frozen a stale lock is brought up to date first. Stopped, it checks what it has, and goes on from "
      "that.\n"
      "Example: liftlock fetch --frozen");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
