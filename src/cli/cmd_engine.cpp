#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/engine_import.hpp"
#include "cli/engine_view.hpp"
#include "engine/machine.hpp"
#include "engine/stored_engines.hpp"

namespace liftlock {
namespace {

/// "gguf" of llama.cpp; empty when it loads none.
std::string formats_of(const engine::InstalledEngine& one) {
  std::vector<std::string_view> out;
  for (const auto& format : engine::model_formats()) {
    if (one.manifest.executables.contains(std::string(format.executable))) out.push_back(format.name);
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string defaults_of(const engine::InstalledEngine& one, const engine::Choices& defaults) {
  std::vector<std::string> out;
  for (const auto& [format, history] : *defaults.all()) {
    if (history.back().value == full_name(one)) out.push_back(format);
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

/// Older versions did not note it.
std::string believed(const engine::EngineFacts& facts) {
  if (!engine_label(facts).empty()) return "nobody: UNSIGNED";
  return facts.believed_by.empty() ? "-" : printable(facts.believed_by);
}

engine::Suitability judge(const engine::InstalledEngine& one, const engine::Machine& machine) {
  return engine::judge_variant(one.manifest.variant, one.manifest.architecture, machine);
}

/// What the store holds and is not unpacked, for who looks for it among what is.
std::string not_installed(const Site& site, const std::vector<engine::InstalledEngine>& installed) {
  if (!fs::exists(site.catalog_file())) return "";
  std::string out;
  for (const auto& package : engine::stored_engines(Catalog(site.catalog_file(), Access::read))) {
    const bool is_there = std::any_of(installed.begin(), installed.end(),
                                      [&](const auto& one) { return one.facts.origin == package.id(); });
    if (!is_there) out += fmt::format("not installed: {0}; liftlock engine install {0}\n", printable(package.id()));
  }
  return out;
}

void list(Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("engine ls", {Zone::ingest, Zone::production});
  const auto machine = engine::probe_machine();
  const engine::Choices defaults(site.engine_defaults_file());
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"NAME", "ARCHITECTURE", "SIZE", "LOADS", "DEFAULT OF", "BELIEVED BY", "RUNS HERE"}};
  std::set<std::string> all_unused;
  const auto installed = engine::installed_engines(site.engines_folder());
  for (const auto& one : installed) {
    const auto& manifest = one.manifest;
    const auto suited = judge(one, machine);
    const auto chosen = defaults_of(one, defaults);
    const auto unused = chosen.empty() ? std::vector<std::string>() : left_unused(site, one, machine);
    all_unused.insert(unused.begin(), unused.end());
    json.push_back({{"name", manifest.name},
                    {"version", manifest.version},
                    {"variant", manifest.variant},
                    {"full_name", full_name(one)},
                    {"loads", formats_of(one)},
                    {"default_of", chosen},
                    {"believed_by", one.facts.believed_by},
                    {"base", one.facts.base ? Json(one.facts.base->engine) : Json()},
                    {"runs_here", suited.runs()},
                    {"leaves_unused", unused},
                    {"folder", one.folder.string()}});
    rows.push_back({printable(full_name(one)), printable(manifest.architecture), format_size(manifest.unpacked_size),
                    formats_of(one), chosen, believed(one.facts),
                    suited.runs() ? "yes" : "no: " + printable(suited.lacking.front())});
  }
  invocation.print(json, [&] {
    auto others = not_installed(site, installed);
    for (const auto& unused : all_unused) others += fmt::format("not used: {}\n", printable(unused));
    if (rows.size() > 1) return format_table(rows) + others;
    return others.empty() ? "no engine is installed, and the store holds none: they come in bundles, or as a file\n"
                          : "no engine is installed\n" + others;
  });
}

void show(Invocation& invocation, const std::string& name) {
  const auto site = invocation.site();
  site.require_zone("engine show", {Zone::ingest, Zone::production});
  const auto one = engine::find_engine(site.engines_folder(), name);
  const auto suited = judge(one, engine::probe_machine());
  const engine::Choices defaults(site.engine_defaults_file());
  auto json = to_json(one.manifest);
  json["full_name"] = full_name(one);
  json["folder"] = one.folder.string();
  json["default_of"] = defaults_of(one, defaults);
  json["installed"] = {{"origin", one.facts.origin},
                       {"package", one.facts.package},
                       {"says", one.facts.says},
                       {"flags", one.facts.flags},
                       {"believed_by", one.facts.believed_by},
                       {"keys", one.facts.keys},
                       {"reason", one.facts.reason},
                       {"notes", one.facts.notes}};
  json["base"] = nullptr;
  if (const auto& base = one.facts.base) json["base"] = {{"engine", base->engine}, {"package", base->package}};
  json["hardware"] = {{"needs", suited.needs}, {"lacking", suited.lacking}, {"runs_here", suited.runs()}};
  invocation.print(json, [&] {
    const auto& manifest = one.manifest;
    auto out = engine_label(one.facts);
    if (!out.empty()) out += "\n";
    out += fmt::format("{}\n", printable(full_name(one)));
    const auto line = [&](std::string_view key, const std::string& value) {
      if (!value.empty()) out += fmt::format("  {:<13}{}\n", key, printable(value));
    };
    line("architecture", manifest.architecture);
    line("variant", manifest.variant);
    line("size", format_size(manifest.unpacked_size));
    line("folder", one.folder.string());
    line("from", one.facts.origin);
    line("package", one.facts.package);
    line("believed by", one.facts.believed_by);
    for (const auto& key : one.facts.keys) line("signed by", key);
    if (const auto& base = one.facts.base) line("C library of", fmt::format("{} {}", base->engine, base->package));
    for (const auto& note : one.facts.notes) line("note", note);
    line("installed", one.facts.package.empty() ? "" : format_time(one.facts.installed));
    line("says", one.facts.says);
    line("loads", formats_of(one));
    line("default of", defaults_of(one, defaults));
    for (const auto& [executable, path] : manifest.executables) {
      const auto* flags = flags_of(one, executable);
      line("program", flags == nullptr ? path : fmt::format("{}, {} options known", path, flags->size()));
    }
    for (const auto& need : suited.needs) line("needs", need);
    for (const auto& lack : suited.lacking) line("lacking", lack);
    line("runs here", suited.runs() ? "yes" : "no");
    for (const auto& input : manifest.inputs)
      line("made of", fmt::format("{} {} {}", input.name, input.version, input.digest.text()));
    return out;
  });
}

void hardware(Invocation& invocation) {
  const auto machine = engine::probe_machine();
  constexpr std::string_view k_variants[] = {"cpu", "avx2", "avx512", "amx", "vulkan", "rocm", "cuda12", "cuda13"};
  auto gpus = Json::array();
  for (const auto& gpu : machine.gpus)
    gpus.push_back({{"name", gpu.name}, {"vendor", gpu.vendor}, {"memory", gpu.memory}});
  Json variants = Json::object();
  for (const auto variant : k_variants)
    variants[std::string(variant)] = engine::judge_variant(variant, machine.architecture, machine).lacking;
  const Json json = {{"architecture", machine.architecture},
                     {"cpu", engine::describe_cpu(machine)},
                     {"cpu_features", machine.cpu_features},
                     {"memory", machine.memory},
                     {"gpus", gpus},
                     {"render_nodes", machine.render_nodes},
                     {"kfd", machine.has_kfd},
                     {"nvidia_driver", machine.nvidia_driver},
                     {"lacking", variants}};
  invocation.print(json, [&] {
    auto out = fmt::format("cpu      {}\nmemory   {}\n", engine::describe_cpu(machine), format_size(machine.memory));
    for (const auto& gpu : machine.gpus) {
      out += fmt::format("gpu      {}, {}\n", printable(gpu.name),
                         gpu.memory == 0 ? "memory not known" : format_size(gpu.memory));
    }
    if (machine.gpus.empty()) out += "gpu      none found\n";
    if (!machine.nvidia_driver.empty()) out += fmt::format("driver   NVIDIA {}\n", printable(machine.nvidia_driver));
    for (const auto variant : k_variants) {
      const auto suited = engine::judge_variant(variant, machine.architecture, machine);
      out += fmt::format("{:<8} {}\n", variant,
                         suited.runs() ? "can run" : fmt::format("cannot: {}", fmt::join(suited.lacking, "; ")));
    }
    if (!machine.gpus.empty()) out += "GPUs serve through an inference server that is a pool: docs/guides/gateway.md\n";
    return out;
  });
}

}  // namespace

void add_engine(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("engine", "Install carried engines and run them, cut off from everything");
  group->require_subcommand(1);
  auto* ls =
      group->add_subcommand("ls", "List the engines that are installed here, and whether this machine runs them");
  ls->alias("list");
  ls->footer("Example: liftlock engine ls --json");
  ls->callback([&invocation] { list(invocation); });
  auto* one = group->add_subcommand("show", "Show what an engine is made of, what it needs, and whether that is here");
  auto name = std::make_shared<std::string>();
  one->add_option("ENGINE", *name, "Name of an installed engine, or NAME/VERSION-VARIANT")->required();
  one->footer("Example: liftlock engine show llama");
  one->callback([&invocation, name] { show(invocation, *name); });
  auto* machine =
      group->add_subcommand("hardware", "Show what this machine has, and which variants of engines it runs");
  machine->footer("Example: liftlock engine hardware");
  machine->callback([&invocation] { hardware(invocation); });
  add_engine_install(*group, invocation);
  add_engine_default(*group, invocation);
  add_engine_rollback(*group, invocation);
  add_engine_remove(*group, invocation);
  add_engine_run(*group, invocation);
  add_engine_try(*group, invocation);
}

}  // namespace liftlock
