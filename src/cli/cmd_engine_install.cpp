#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/engine_view.hpp"
#include "crypto/hash.hpp"
#include "engine/unpack.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

Artifact find_engine_artifact(const Catalog& catalog, const std::string& name) {
  for (const auto& artifact : catalog.artifacts()) {
    if (artifact.kind == "engine" && artifact.id() == name) return artifact;
  }
  std::optional<Artifact> found;
  for (auto& artifact : catalog.artifacts()) {
    if (artifact.kind == "engine" && artifact.name == name) found = std::move(artifact);
  }
  if (!found) fail(ErrorCode::not_found, "the store holds no engine '{}'", printable(name));
  return *found;
}

void run(Invocation& invocation, const std::string& name) {
  const auto site = invocation.site();
  site.require_zone("engine install", {Zone::ingest, Zone::production});
  site.require_own();
  const auto artifact = find_engine_artifact(Catalog(site.catalog_file()), name);
  const auto& file = artifact.files.at(0);
  const auto package = BlobStore(site.store_folder()).open(file.digest);
  // The store is trusted by name only after the bytes were hashed again: an engine is code.
  if (const auto actual = sha256_of_file(package.get(), file.path.text()); actual != file.digest) {
    fail(ErrorCode::blob_corrupt, "'{}' has {} instead of {}", file.path.text(), actual.text(), file.digest.text());
  }
  const auto manifest = engine::EngineReader(package.get()).manifest();
  const auto folder = engine::folder_of(site.engines_folder(), manifest);
  const bool existed = fs::exists(folder);
  if (!existed) {
    record_config(invocation, site);
    AuditLog(site.audit_folder(), "")
        .append({.type = "engine.install",
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = artifact.id(),
                 .detail = dump_json_line({{"package", file.digest.text()}})});
    make_folders(folder.parent_path());
    engine::unpack_engine(package.get(), folder);
  }
  const Json json = {{"engine", artifact.id()}, {"folder", folder.string()}, {"installed", !existed}};
  invocation.print(json, [&] {
    return fmt::format("{} {} in {}", artifact.id(), existed ? "was installed already" : "is installed",
                       folder.string());
  });
}

}  // namespace

void add_engine_install(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("install", "Unpack an engine of the store, beside other versions");
  auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "Name or id of the engine, as `liftlock ls --kind engine` shows it")->required();
  command->footer("Example: liftlock engine install llama.cpp");
  command->callback([&invocation, name] { run(invocation, *name); });
}

}  // namespace liftlock
