#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/sbom.hpp"
#include "cli/commands.hpp"
#include "cli/output_file.hpp"
#include "cli/store_view.hpp"
#include "crypto/hash.hpp"
#include "engine/choices.hpp"
#include "engine/engine_process.hpp"
#include "engine/load_gate.hpp"
#include "engine/machine.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_inventory = 64u << 20;
constexpr std::string_view k_format = "liftlock.inventory/1";

struct Options {
  std::string against;
  std::string output;
  std::string format = "inventory";
};

/// One thing of a machine: what it is, which one, and what about it may differ from machine to machine.
Json item(std::string_view what, const std::string& name, const std::string& value) {
  return {{"what", what}, {"name", name}, {"value", value}};
}

void add_machine(Json& items) {
  const auto machine = engine::probe_machine();
  utsname system{};
  ::uname(&system);
  items.push_back(item("program", "liftlock", LIFTLOCK_VERSION));
  items.push_back(item("kernel", system.sysname, system.release));
  items.push_back(item("cpu", machine.architecture, engine::describe_cpu(machine)));
  items.push_back(item("memory", "machine", format_size(machine.memory)));
  if (!machine.nvidia_driver.empty()) items.push_back(item("driver", "nvidia", machine.nvidia_driver));
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
    const auto& gpu = machine.gpus[i];
    items.push_back(item("gpu", std::to_string(i),
                         gpu.memory == 0 ? gpu.name : fmt::format("{}, {}", gpu.name, format_size(gpu.memory))));
  }
}

void add_engines(Json& items, const Site& site) {
  for (const auto& one : engine::installed_engines(site.engines_folder()))
    items.push_back(
        item("installed", engine::full_name(one), fmt::format("{} {}", one.manifest.version, one.manifest.variant)));
  const auto defaults = engine::Choices(site.engine_defaults_file()).all();
  for (const auto& [format, history] : *defaults) items.push_back(item("default", format, history.back().value));
  const auto aliases = engine::Choices(site.aliases_file()).all();
  for (const auto& [alias, history] : *aliases)
    items.push_back(item("alias", alias, fmt::format("{} {}", history.back().value, history.back().digest)));
}

/// The digest of its files' digests, for what has several.
std::string digest_of(const Artifact& artifact) {
  if (artifact.files.size() == 1) return artifact.files[0].digest.text();
  std::string all;
  for (const auto& file : artifact.files) all += fmt::format("{}  {}\n", file.digest.hex(), file.path.text());
  return sha256(all).text();
}

void add_store(Json& items, const Site& site) {
  const OpenStore store(site, "inventory", Access::read);
  for (const auto& one : store.catalog.publications()) {
    if (one.latest) items.push_back(item("channel", one.channel, std::to_string(one.sequence)));
  }
  for (const auto& artifact : store.catalog.artifacts())
    items.push_back(item(artifact.kind, fmt::format("{}@{}", artifact.name, artifact.version), digest_of(artifact)));
}

Json inventory_of(const Site& site) {
  auto items = Json::array();
  add_machine(items);
  add_engines(items, site);
  add_store(items, site);
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  return {{"format", k_format},
          {"host", host},
          {"organisation", site.config().organisation},
          {"zone", name(site.config().zone)},
          {"time", format_time(now())},
          {"items", items}};
}

using Items = std::map<std::pair<std::string, std::string>, std::string>;

Items items_of(const Json& inventory, std::string_view where) {
  Items out;
  for (const auto& one : array_member(inventory, "items", where))
    out[{string_member(one, "what", where), string_member(one, "name", where)}] = string_member(one, "value", where);
  return out;
}

Json read_inventory(const fs::path& file) {
  if (!fs::exists(file)) {
    throw Error(ErrorCode::not_found, fmt::format("there is no '{}'", printable(file.string())),
                "write one on the other machine: liftlock inventory --output FILE");
  }
  const auto where = printable(file.filename().string());
  auto inventory = parse_json(read_file(file, k_max_inventory));
  const auto format = string_member(inventory, "format", where);
  if (format != k_format) {
    fail(format.starts_with("liftlock.inventory/") ? ErrorCode::too_new : ErrorCode::schema_violation,
         "'{}' is no inventory of a kind that this version reads", where);
  }
  return inventory;
}

void compare(Invocation& invocation, const Json& here, const fs::path& file) {
  const auto other = read_inventory(file);
  const auto mine = items_of(here, "the inventory of this machine"), theirs = items_of(other, file.filename().string());
  const auto there_name = printable(other.value("host", std::string("there")));
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{{"WHAT", "NAME", "HERE", fmt::format("THERE ({})", there_name)}};
  const auto add = [&](const auto& key, const std::string* here_value, const std::string* there_value) {
    json.push_back({{"what", key.first},
                    {"name", key.second},
                    {"here", here_value ? Json(*here_value) : Json()},
                    {"there", there_value ? Json(*there_value) : Json()}});
    const auto shown = [](const std::string* value) { return value ? printable(*value) : std::string("-"); };
    rows.push_back({printable(key.first), printable(key.second), shown(here_value), shown(there_value)});
  };
  for (const auto& [key, value] : mine) {
    const auto at = theirs.find(key);
    if (at == theirs.end()) add(key, &value, nullptr);
    if (at != theirs.end() && at->second != value) add(key, &value, &at->second);
  }
  for (const auto& [key, value] : theirs) {
    if (!mine.contains(key)) add(key, nullptr, &value);
  }
  invocation.print({{"here", here.at("host")}, {"there", other.value("host", Json())}, {"differences", json}},
                   [&] { return json.empty() ? std::string("no difference\n") : format_table(rows); });
}

/// All that the store holds, as a bill of materials.
std::string bill_of(const Site& site, std::string_view format) {
  const OpenStore store(site, "inventory", Access::read);
  const auto artifacts = store.catalog.artifacts();
  const auto inspected = [&](const Artifact& artifact) { return store.catalog.inspection(artifact); };
  return format == "spdx" ? write_spdx("store", artifacts, inspected) : write_sbom("store", artifacts, inspected);
}

void write_bill(Invocation& invocation, const Options& options) {
  const auto bill = bill_of(invocation.site(), options.format);
  if (options.output.empty()) {
    invocation.print(parse_json(bill, {.max_bytes = bill.size()}), [&] { return bill; });
    return;
  }
  write_output(options.output, bill);
  if (is_standard_output(options.output)) return;
  invocation.print({{"output", options.output}, {"format", options.format}},
                   [&] { return fmt::format("the bill of materials is written to {}", printable(options.output)); });
}

void run(Invocation& invocation, const Options& options) {
  if (options.format != "inventory") return write_bill(invocation, options);
  const auto here = inventory_of(invocation.site());
  if (!options.against.empty()) return compare(invocation, here, options.against);
  if (!options.output.empty()) {
    write_output(options.output, dump_json(here) + "\n");
    if (is_standard_output(options.output)) return;
    invocation.print({{"output", options.output}, {"items", here.at("items").size()}}, [&] {
      return fmt::format("{} items are written to {}", here.at("items").size(), printable(options.output));
    });
    return;
  }
  invocation.print(here, [&] {
    std::vector<std::vector<std::string>> rows{{"WHAT", "NAME", "VALUE"}};
    for (const auto& one : here.at("items")) {
      rows.push_back({printable(one.at("what").get<std::string>()), printable(one.at("name").get<std::string>()),
                      printable(one.at("value").get<std::string>())});
    }
    return format_table(rows);
  });
}

}  // namespace

void add_inventory(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("inventory", "Say what this machine is and holds, and how another one differs");
  auto options = std::make_shared<Options>();
  auto* output = command->add_option("--output", options->output,
                                     "File that takes it, to be compared elsewhere; - for standard output");
  command->add_option("--against", options->against, "Show only what differs from this inventory of another machine")
      ->excludes(output);
  command
      ->add_option("--format", options->format,
                   "inventory, or what the store holds as a bill of materials: cyclonedx (1.6), spdx (2.3)")
      ->check(CLI::IsMember({"inventory", "cyclonedx", "spdx"}))
      ->excludes("--against");
  command->footer(
      "Hardware, engines, defaults, aliases, the newest bundle of each channel, and every artifact with its digest.\n"
      "Examples:\n"
      "  liftlock inventory --output node1.json\n"
      "  liftlock inventory --against node2.json\n"
      "  liftlock inventory --format spdx --output store.spdx.json");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
