#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/model_chain.hpp"
#include "cli/store_view.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
};

void run(Invocation& invocation, const Options& options, ChainDepth depth) {
  const auto site = invocation.site();
  site.require_zone("chain", {Zone::ingest, Zone::production});
  const auto chain = model_chain(site, options.name, depth, invocation.reporter());
  Json json = {{"model", chain.id}, {"good", chain.is_good()}, {"steps", Json::array()}};
  auto text = printable(chain.id) + "\n";
  int number = 0;
  for (const auto& step : chain.steps) {
    json["steps"].push_back(
        {{"name", step.name}, {"status", name(step.status)}, {"words", step.words}, {"evidence", step.evidence}});
    text += fmt::format("{} {:<9} {}\n", ++number, step.name, name(step.status));
    for (const auto& words : step.words) text += fmt::format("            {}\n", printable(words));
  }
  invocation.print(json, [&] { return text; });
  if (!chain.is_good()) invocation.set_status(static_cast<int>(ErrorClass::integrity));
}

void add(CLI::App& group, Invocation& invocation, const char* verb, const char* summary, ChainDepth depth) {
  auto* command = group.add_subcommand(verb, summary);
  auto options = std::make_shared<Options>();
  add_model_argument(*command, "MODEL", options->name)->required();
  command->footer(fmt::format(
      "Exit status 4: a step is refuted, or its evidence is missing, but for that of a load where none was yet.\n"
      "What was believed on first use is \"unproven\", and does not change the exit status.\n"
      "Example: liftlock chain {} tiny",
      verb));
  command->callback([&invocation, options, depth] { run(invocation, *options, depth); });
}

}  // namespace

void add_chain(CLI::App& app, Invocation& invocation) {
  auto* group =
      app.add_subcommand("chain", "From the registry to the engine: why a model is believed to be what it is");
  group->require_subcommand(1);
  add(*group, invocation, "show", "Show the six steps with the evidence of each", ChainDepth::show);
  add(*group, invocation, "replay", "Check the six steps again, offline: every byte, signature and entry of the log",
      ChainDepth::replay);
}

}  // namespace liftlock
