#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/store_view.hpp"
#include "engine/load_gate.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation, const std::string& name) {
  const auto site = invocation.site();
  site.require_zone("model rm", {Zone::ingest, Zone::production});
  site.require_own();
  engine::Choices aliases(site.aliases_file());
  AuditLog log(site.audit_folder(), "");
  const auto effect = [&](std::string type, const std::string& subject, const Json& detail,
                          const std::function<void()>& work) {
    record_config(invocation, site);
    logged_effect(log,
                  {.type = std::move(type),
                   .actor = invocation.actor(),
                   .outcome = Outcome::intent,
                   .subject = subject,
                   .detail = dump_json_line(detail)},
                  work);
  };
  if (const auto choice = aliases.current(name)) {
    effect("model.unalias", name, {{"model", choice->value}, {"digest", choice->digest}},
           [&] { aliases.remove(name); });
    return invocation.print({{"alias", name}, {"removed", true}}, [&] {
      return fmt::format("the alias '{}' is gone; {} stays", printable(name), printable(choice->value));
    });
  }
  Catalog catalog(site.catalog_file());
  const auto model = engine::require_model(catalog, name);
  const auto chosen = engine::choice_of(model, "");
  for (const auto& [alias, history] : *aliases.all()) {
    if (history.back().value != chosen.value || history.back().digest != chosen.digest) continue;
    throw Error(ErrorCode::busy,
                fmt::format("{} stands behind the alias '{}'", printable(model.id()), printable(alias)),
                fmt::format("put another model there first (`liftlock model swap`), or remove the alias: "
                            "liftlock model rm {}",
                            printable(alias)));
  }
  effect("model.remove", model.id(), {{"digest", chosen.digest}, {"bytes", model.total_size()}},
         [&] { catalog.withdraw(model); });
  invocation.print({{"model", model.id()}, {"removed", true}}, [&] {
    return fmt::format(
        "{} is out of use; `liftlock gc` frees its {} where nothing else needs them, and ingesting its "
        "bundle with --restore-retired brings it back",
        printable(model.id()), model.files.size() == 1 ? "file" : "files");
  });
}

}  // namespace

void add_model_rm(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("rm", "Take a model out of use, or an alias away");
  auto name = std::make_shared<std::string>();
  add_model_argument(*command, "NAME", *name, "Alias")->required();
  command->footer(
      "A model behind an alias stays. Engines that run it go on until they are unloaded (`liftlock model "
      "unload`).\nExample: liftlock model rm "
      "tiny");
  command->callback([&invocation, name] { run(invocation, *name); });
}

}  // namespace liftlock
