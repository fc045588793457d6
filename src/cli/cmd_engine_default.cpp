#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/engine_view.hpp"

namespace liftlock {
namespace {

Site site_for(Invocation& invocation, std::string_view command) {
  auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  site.require_own();
  return site;
}

void choose(Invocation& invocation, const std::string& name) {
  const auto site = site_for(invocation, "engine default");
  const auto one = engine::find_engine(site.engines_folder(), name);
  engine::require_suited(one, engine::this_machine());
  record_config(invocation, site);
  const auto formats = make_default(invocation, site, one, Replace::yes);
  if (formats.empty()) fail(ErrorCode::usage, "{} loads no format of models", printable(full_name(one)));
  invocation.print({{"engine", full_name(one)}, {"formats", formats}}, [&] {
    return fmt::format("{} is the default of {}; models that are loaded stay on theirs until they are unloaded",
                       printable(full_name(one)), fmt::join(formats, ", "));
  });
}

void roll_back(Invocation& invocation, const std::string& format) {
  const auto site = site_for(invocation, "engine rollback");
  engine::Choices defaults(site.engine_defaults_file());
  const auto before = defaults.current(format);
  const auto target = defaults.previous(format);
  if (!before || !target) {
    throw Error(ErrorCode::not_found, fmt::format("no other engine was the default of '{}' before", printable(format)),
                "choose one: liftlock engine default NAME");
  }
  engine::require_suited(engine::find_engine(site.engines_folder(), target->value), engine::this_machine());
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  logged_effect(log,
                {.type = "engine.default",
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = format,
                 .detail = dump_json_line({{"engine", target->value}, {"before", before->value}, {"rollback", true}})},
                [&] { defaults.roll_back(format); });
  invocation.print({{"format", format}, {"engine", target->value}, {"before", before->value}}, [&] {
    return fmt::format("{} is the default of {} again, instead of {}", printable(target->value), printable(format),
                       printable(before->value));
  });
}

}  // namespace

void add_engine_default(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("default", "Make an engine the one that loads its format of models");
  auto name = std::make_shared<std::string>();
  command->add_option("ENGINE", *name, "Name of an installed engine, or NAME/VERSION-VARIANT")->required();
  command->footer(
      "What was the default before stays known: `liftlock engine rollback`.\nExample: liftlock engine default llama");
  command->callback([&invocation, name] { choose(invocation, *name); });
}

void add_engine_rollback(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("rollback", "Go back to the engine that was the default before");
  auto format = std::make_shared<std::string>("gguf");
  command->add_option("--format", *format, "Of models: gguf (the default) or ggml")->type_name("{gguf,ggml}");
  command->footer("Example: liftlock engine rollback");
  command->callback([&invocation, format] { roll_back(invocation, *format); });
}

}  // namespace liftlock
