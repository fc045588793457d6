#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/store_view.hpp"
#include "cli/whole_number.hpp"
#include "engine/load_gate.hpp"
#include "engine/machine.hpp"
#include "engine/memory_need.hpp"

namespace liftlock {
namespace {

constexpr unsigned k_slots = 2;

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
  const auto aliases = engine::Choices(site.aliases_file()).all();
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"NAME", "VERSION", "ARCHITECTURE", "PARAMETERS", "QUANTISATION", "SIZE", "LICENCE", "LABEL", "ALIASES"}};
  for (const auto& model : store.catalog.artifacts()) {
    if (model.kind != "model") continue;
    const auto facts = store.catalog.inspection(model);
    const auto label = fact(model.facts, "label");
    const auto licence = model.license.empty() ? fact(facts, "license") : printable(model.license);
    const auto chosen = engine::choice_of(model, "");
    std::vector<std::string> called;
    for (const auto& [alias, history] : *aliases) {
      if (history.back().value == chosen.value && history.back().digest == chosen.digest) called.push_back(alias);
    }
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
  invocation.print(json, [&] { return format_table(rows); });
}

struct FitOptions {
  std::string name;
  unsigned context = 0;
};

Json to_json(const engine::Fit& fit) {
  return {{"budget", fit.budget}, {"fits", fit.fits}, {"largest_context", fit.largest_context}};
}

std::string in_words(const engine::Fit& fit) {
  const auto most = fit.largest_context == 0 ? std::string("its weights alone are too large")
                                             : fmt::format("with up to {} tokens of context", fit.largest_context);
  return fmt::format("{}; {}, of the {} that there are", fit.fits ? "it fits" : "it does NOT fit", most,
                     format_size(fit.budget));
}

void fit(Invocation& invocation, const FitOptions& options) {
  const OpenStore store(invocation.site(), "model fit", Access::read);
  const auto model = engine::require_model(store.catalog, options.name);
  const auto facts = store.catalog.inspection(model);
  const auto need = engine::memory_need(model, facts, options.context, k_slots);
  const auto memory = engine::fit_into(engine::default_memory_budget(), model, facts, options.context, k_slots);
  const auto machine = engine::probe_machine();
  const auto* gpu = engine::largest_gpu(machine);
  const auto gpu_memory = gpu == nullptr ? 0 : engine::gpu_budget(gpu->memory);
  const auto on_gpu = engine::fit_into(gpu_memory, model, facts, options.context, k_slots);
  Json json = {{"model", model.id()},     {"context", need.context},   {"slots", k_slots},
               {"weights", need.weights}, {"kv_cache", need.kv_cache}, {"computation", need.computation},
               {"total", need.total()},   {"memory", to_json(memory)}, {"gpu", nullptr}};
  if (gpu_memory != 0) json["gpu"] = to_json(on_gpu), json["gpu"]["name"] = gpu->name;
  invocation.print(json, [&] {
    auto out = fmt::format(
        "{}\n  context      {} tokens for each of {} requests at a time\n  weights      {}\n  context      {}\n"
        "  computation  {}\n  together     {}\n  memory       {}\n",
        printable(model.id()), need.context, k_slots, format_size(need.weights), format_size(need.kv_cache),
        format_size(need.computation), format_size(need.total()), in_words(memory));
    if (gpu != nullptr) {
      out += fmt::format("  {:<11}  {}\n", "GPU",
                         fmt::format("{}: {}", printable(gpu->name),
                                     gpu_memory == 0 ? "how much memory it has is not known" : in_words(on_gpu)));
    }
    if (options.context > need.context) {
      out += fmt::format("the model was made for {} tokens of context, and gets no more\n", need.context);
    }
    if (!memory.fits) out += "try a smaller --context, or a stronger quantisation\n";
    return out;
  });
  if (!memory.fits) invocation.set_status(static_cast<int>(ErrorClass::space));
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
  add_model_swap(*group, invocation);
  add_model_rollback(*group, invocation);
  add_model_rm(*group, invocation);
  add_model_countersign(*group, invocation);
  auto* command = group->add_subcommand("fit", "Say from its facts whether a model will fit into memory");
  auto options = std::make_shared<FitOptions>();
  command->add_option("NAME", options->name, "Name, name@version or id of a model of the store")->required();
  command->add_option("--context", options->context, "Tokens of one request (default: as trained, at most 8192)")
      ->check(whole_number(1, 16'777'216));
  command->footer(
      "Exit status 5: it does not fit. The estimate is rather too high than too low.\n"
      "Example: liftlock model fit tiny --context 4096");
  command->callback([&invocation, options] { fit(invocation, *options); });
}

}  // namespace liftlock
