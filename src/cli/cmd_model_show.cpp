#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/long_list.hpp"
#include "cli/show.hpp"
#include "engine/choices.hpp"
#include "engine/last_load.hpp"
#include "engine/load_gate.hpp"
#include "engine/named_models.hpp"
#include "gateway/model_defaults.hpp"

namespace liftlock {
namespace {

/// Of a model: who could change its bytes when an engine last got them; null when none did.
Json last_load(const Site& site, const Artifact& model) {
  if (!fs::exists(site.audit_folder())) return nullptr;
  const auto log = AuditLog::open_to_read(site.audit_folder());
  const auto entry = engine::last_load(log, model);
  if (!entry) return nullptr;
  const auto detail = parse_json(entry->event.detail);
  return {{"entry", entry->index},
          {"time", format_time(entry->time)},
          {"assurance", detail.value("assurance", "")},
          {"check", detail.value("check", "")}};
}

/// What a model brings for conversations, in full: it goes to the engine with each question, but for the parameters
/// that are left out.
/// @param json gets the same
std::string makers_words(const BlobStore& blobs, const Artifact& model, Json& json) {
  ollama::Defaults defaults;
  try {
    defaults = engine::defaults_of(blobs, model);
  } catch (const Error& error) {
    json["error"] = error.message();
    return fmt::format("\n  what it brings for conversations cannot be read: {}\n", printable(error.message()));
  }
  if (defaults.empty()) return {};
  const auto unused = left_out(defaults.params);
  auto out =
      fmt::format("\n  brings for conversations: {}{}\n", ollama::words_of(defaults),
                  unused.empty() ? std::string() : "; our engines leave out " + counted(unused.size(), "parameter"));
  if (!defaults.system.empty()) {
    json["system"] = defaults.system;
    out += fmt::format("    system    {}\n", printable(defaults.system));
  }
  for (const auto& [name, value] : defaults.params.items()) {
    const auto why = unused.find(name);
    out += fmt::format("    {:<9} {}{}\n", printable(name), printable(dump_json_line(value)),
                       why == unused.end() ? std::string() : fmt::format(" (left out: {})", printable(why->second)));
  }
  if (!defaults.params.empty()) json["parameters"] = defaults.params;
  if (!unused.empty()) json["left_out"] = unused;
  for (const auto& [role, content] : defaults.messages) {
    json["messages"].push_back({{"role", role}, {"content", content}});
    out += fmt::format("    {:<9} {}\n", role, printable(content));
  }
  return out;
}

/// What people and programs call it, and who may ask it.
/// @param json gets the same
std::string names_and_label(const Site& site, const Artifact& model, Json& json) {
  const auto label = label_of(site, model);
  const auto aliases = engine::Choices(site.aliases_file()).names_of(engine::choice_of(model, ""));
  json["label"] = label;
  json["aliases"] = aliases;
  const auto& order = site.config().labels;
  const auto none = order.empty() ? std::string("none") : fmt::format("none, so {}", printable(order.back()));
  return fmt::format("\n  label     {}\n  aliases   {}\n", label == "-" ? none : label,
                     aliases.empty() ? "none" : printable(fmt::format("{}", fmt::join(aliases, ", "))));
}

std::string of_a_model(const Site& site, const OpenStore& store, const Artifact& model, Json& json) {
  json["brings"] = Json::object();
  auto out = names_and_label(site, model, json) + makers_words(store.blobs, model, json["brings"]);
  const auto& load = json["last_load"] = last_load(site, model);
  if (load.is_null()) return out + "\n  not loaded yet\n";
  return out + fmt::format("\n  last loaded {}; who could change the bytes after they were hashed: {}\n",
                           printable(load["time"].get<std::string>()),
                           engine::assurance_in_words(load["assurance"].get<std::string>()));
}

}  // namespace

void add_model_show(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("show", "Show everything known about one model: facts, files, origin, evidence");
  auto options = std::make_shared<ShowOptions>();
  add_model_argument(*command, "NAME", options->name)->required();
  add_all_flag(*command, options->all);
  command->footer("Example: liftlock model show tiny --json");
  command->callback([&invocation, options] {
    show_artifact(invocation, *options, "model", [&](const OpenStore& store, const Artifact& model, Json& json) {
      return of_a_model(invocation.site(), store, model, json);
    });
  });
}

}  // namespace liftlock
