#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/stack_session.hpp"

namespace liftlock {
namespace {

struct Options {
  StackOptions stack;
  std::vector<std::string> update;
  bool update_all = false;
};

void run(Invocation& invocation, const Options& options) {
  StackSession session(invocation, "lock", options.stack);
  const auto scope = options.update_all ? ResolveOptions::Update::all : ResolveOptions::Update::named;
  const auto locked = session.lock({.update = options.update, .scope = scope});
  const auto& result = locked.result;

  const std::set<std::string> kept(result.kept.begin(), result.kept.end());
  std::vector<std::vector<std::string>> rows{{"ENTRY", "STATE", "ARTIFACTS", "SIZE"}};
  auto entries = Json::array();
  for (const auto& entry : result.lock.entries) {
    const auto id = fmt::format("{}.{}", entry.table, entry.name);
    std::uint64_t size = 0;
    for (const auto& artifact : entry.artifacts) size += artifact.total_size();
    const auto* state = kept.contains(id) ? "kept" : "resolved";
    rows.push_back({id, state, std::to_string(entry.artifacts.size()), format_size(size)});
    entries.push_back({{"entry", id},
                       {"state", state},
                       {"artifacts", entry.artifacts.size()},
                       {"size", size},
                       {"notes", entry.notes}});
  }
  for (const auto& id : result.removed) rows.push_back({id, "removed", "", ""});

  auto changed = Json::array();
  for (const auto& drift : locked.changed)
    changed.push_back({{"entry", drift.entry}, {"path", drift.path}, {"change", drift.change}});
  if (result.lock.entries.empty())
    invocation.reporter().warn("the stack names nothing to carry: add a table such as [python.tools] or [file.notes]");

  const auto& digest = locked.saved.digest;
  const Json json = {
      {"lock", session.lock_file().string()}, {"sha256", digest.hex()},    {"written", locked.saved.written},
      {"entries", std::move(entries)},        {"removed", result.removed}, {"changed_files", changed},
      {"requests", session.requests()}};
  invocation.print(json, [&] {
    return format_table(rows) + fmt::format("{} {} (sha256 {})\n",
                                            locked.saved.written ? "wrote" : "unchanged:", session.lock_file().string(),
                                            digest.hex());
  });
}

}  // namespace

void add_lock(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("lock", "Resolve liftlock.toml to exact versions and digests: liftlock.lock");
  auto options = std::make_shared<Options>();
  add_stack_options(*command, options->stack);
  command->add_option("--update", options->update, "Resolve this entry again, e.g. python.tools; may be repeated")
      ->type_name("NAME");
  command->add_flag("--update-all", options->update_all, "Resolve every entry again");
  command->footer(
      "What did not change in the stack stays as it was locked, and nobody is asked about it.\n"
      "Example: liftlock lock --update python.tools");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
