#include "ecosystem/cargo/local_registry.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "ecosystem/cargo/crate_file.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/lock_file.hpp"
#include "ecosystem/cargo/manifest.hpp"

namespace liftlock::cargo {
namespace {

std::string registry_of(const Artifact& crate) {
  return text_in(crate.facts, "registry");
}

std::string line_of(const Artifact& crate, const std::string& default_registry, const InspectedCrate& inspected) {
  return with_context(crate.id(), [&] {
    const auto facts = inspected(crate);
    const auto index = facts.find(k_fact_index);
    if (index == facts.end()) fail(ErrorCode::schema_violation, "nothing is known of its dependencies");
    const auto registry = registry_of(crate);
    return index_line(
        manifest_from_facts(*index, crate.name, crate.version), crate.files[0].digest,
        {.registry = is_default_registry(registry) ? "" : registry, .default_registry = default_registry});
  });
}

}  // namespace

PlainLayout local_registry(std::span<const Artifact> artifacts, const InspectedCrate& inspected) {
  std::map<std::pair<std::string, std::string>, const Artifact*> crates;
  std::string default_registry;
  std::set<std::string> others;
  for (const auto& artifact : artifacts) {
    if (artifact.kind != "crate" || artifact.files.size() != 1) continue;
    crates[{artifact.name, artifact.version}] = &artifact;
    const auto registry = registry_of(artifact);
    if (is_default_registry(registry)) {
      default_registry = registry;
    } else if (!registry.empty()) {
      others.insert(registry);
    }
  }
  PlainLayout out;
  for (const auto& [key, crate] : crates) {
    out.files.insert_or_assign(crate_file_name(crate->name, crate->version), crate->files[0]);
    out.documents["index/" + index_path(crate->name)] += line_of(*crate, default_registry, inspected) + "\n";
  }
  // From the folder that holds .cargo, wherever that is.
  out.documents[".cargo/config.toml"] = source_replacement("local-registry = \".\"", others);
  return out;
}

std::string source_replacement(std::string_view source, const std::set<std::string>& others) {
  auto out = fmt::format("[source.crates-io]\nreplace-with = \"liftlock\"\n\n[source.liftlock]\n{}\n", source);
  std::size_t count = 0;
  for (const auto& registry : others) {
    const auto address = registry.starts_with("registry+") ? registry.substr(9) : registry;
    // A basic string of TOML has the escapes of JSON.
    out +=
        fmt::format("\n[source.other-{}]\nregistry = {}\nreplace-with = \"liftlock\"\n", ++count, Json(address).dump());
  }
  return out;
}

}  // namespace liftlock::cargo
