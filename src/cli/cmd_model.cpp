#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "bundle/licenses.hpp"
#include "cli/cmd_import.hpp"
#include "cli/commands.hpp"
#include "cli/store_view.hpp"
#include "engine/load_gate.hpp"

namespace liftlock {
namespace {

std::string fact(const Json& facts, const char* key) {
  const auto at = facts.find(key);
  if (at == facts.end()) return "-";
  return printable(at->is_string() ? at->get<std::string>() : dump_json_line(*at));
}

std::string parameters(const Json& facts) {
  const auto at = facts.find("parameters");
  return at == facts.end() || !at->is_number_unsigned() ? "-" : format_count(at->get<std::uint64_t>());
}

void list(Invocation& invocation) {
  const auto site = invocation.site();
  const OpenStore store(site, "model ls", Access::read);
  const engine::Choices aliases(site.aliases_file());
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"NAME", "VERSION", "ARCHITECTURE", "PARAMETERS", "QUANTISATION", "SIZE", "LICENCE", "LABEL", "ALIASES"}};
  for (const auto& model : store.catalog.artifacts()) {
    if (model.kind != "model") continue;
    const auto facts = store.catalog.inspection(model);
    const auto label = label_of(site, model);
    const auto stated = stated_license(model, facts);
    const auto licence = stated.empty() ? std::string("-") : printable(stated);
    const auto called = aliases.names_of(engine::choice_of(model, ""));
    json.push_back({{"id", model.id()},
                    {"aliases", called},
                    {"name", model.name},
                    {"version", model.version},
                    {"size", model.total_size()},
                    {"digest", engine::main_digest(model).text()},
                    {"licence", licence},
                    {"label", label},
                    {"inspection", facts}});
    rows.push_back({printable(model.name), printable(model.version), fact(facts, "architecture"), parameters(facts),
                    fact(facts, "quantisation"), format_size(model.total_size()), licence, label,
                    printable(fmt::format("{}", fmt::join(called, ", ")))});
  }
  invocation.print(json, [&] {
    return rows.size() > 1 ? format_table(rows)
                           : "the store holds no model: one comes in a bundle, or by `liftlock import`\n";
  });
}

}  // namespace

void add_model(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("model", "The models of the store, and what they need to run");
  group->require_subcommand(1);
  auto* ls =
      group->add_subcommand("ls", "List the models: architecture, parameters, quantisation, size, licence, label");
  ls->footer("Example: liftlock model ls --json");
  ls->callback([&invocation] { list(invocation); });
  ls->alias("list");
  add_model_show(*group, invocation);
  add_model_inspect(*group, invocation);
  add_model_import(*group, invocation);
  add_model_export(*group, invocation);
  add_model_load(*group, invocation);
  add_model_unload(*group, invocation);
  add_model_swap(*group, invocation);
  add_model_rollback(*group, invocation);
  add_model_rm(*group, invocation);
  add_model_countersign(*group, invocation);
  add_model_fit(*group, invocation);
}

}  // namespace liftlock
