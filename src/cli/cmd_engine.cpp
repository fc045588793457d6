#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/engine_view.hpp"

namespace liftlock {

void add_engine_ls(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ls", "List the engines that are installed here");
  command->footer("Example: liftlock engine ls --json");
  command->callback([&invocation] {
    const auto site = invocation.site();
    site.require_zone("engine ls", {Zone::ingest, Zone::production});
    auto json = Json::array();
    std::vector<std::vector<std::string>> rows{{"NAME", "VERSION", "VARIANT", "ARCHITECTURE", "SIZE"}};
    for (const auto& one : engine::installed_engines(site.engines_folder())) {
      const auto& manifest = one.manifest;
      json.push_back({{"name", manifest.name},
                      {"version", manifest.version},
                      {"variant", manifest.variant},
                      {"folder", one.folder.string()}});
      rows.push_back({printable(manifest.name), printable(manifest.version), printable(manifest.variant),
                      printable(manifest.architecture), format_size(manifest.unpacked_size)});
    }
    invocation.print(json, [&] { return format_table(rows); });
  });
}

void add_engine(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("engine", "Install carried engines and run them, cut off from everything");
  group->require_subcommand(1);
  add_engine_ls(*group, invocation);
  add_engine_install(*group, invocation);
  add_engine_run(*group, invocation);
  add_engine_try(*group, invocation);
}

}  // namespace liftlock
