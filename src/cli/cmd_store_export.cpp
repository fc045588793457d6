#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/store_view.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
  std::string to;
  bool tree = false;
};

void run(Invocation& invocation, const Options& options) {
  const OpenStore store(invocation.site(), "export", Access::read);
  const auto artifact = require_artifact(store.catalog, options.name);
  const auto layout = options.tree ? ExportLayout::bundle : ExportLayout::flat;
  const auto files = export_artifact(store.blobs, artifact, options.to, layout, invocation.reporter());
  Json json = Json::array();
  for (const auto& file : files) {
    json.push_back({{"path", file.path.string()}, {"size", file.size}, {"sha256", file.digest.hex()}});
  }
  invocation.print({{"id", artifact.id()}, {"files", json}}, [&] {
    std::string out;
    for (const auto& file : files) out += fmt::format("{}  {}\n", file.digest.hex(), file.path.string());
    return out;
  });
}

}  // namespace

void add_store_export(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("export", "Write an artifact's files to a folder, each checked while it is copied");
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->name, "kind:name@version, or a name or name@version that only one artifact has")
      ->required();
  command
      ->add_option("--to", options->to,
                   "The folder; made when missing. Files there with other bytes are never replaced")
      ->required();
  command->add_flag("--tree", options->tree,
                    "Keep the folders of a bundle (packages/pypi/…), for several exports to one place");
  command->footer(
      "Prints lines that `sha256sum -c` reads. The files are copies: editing them leaves the store as it is.\n"
      "Example: liftlock export tinyllama --to ./models");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
