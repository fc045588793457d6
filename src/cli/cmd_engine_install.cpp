#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/standing.hpp"
#include "cli/bundle_view.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/engine_import.hpp"
#include "cli/engine_view.hpp"
#include "cli/interrupt.hpp"
#include "cli/reason_option.hpp"
#include "crypto/hash.hpp"
#include "engine/install.hpp"
#include "engine/package_reader.hpp"
#include "engine/stored_engines.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

bool is_stored_baiengine(const Artifact& artifact) {
  return artifact.files.size() == 1 && is_baiengine(std::string(artifact.files[0].path.filename()));
}

Artifact find_engine_artifact(const Catalog& catalog, const std::string& name) {
  auto found = engine::find_stored_engine(catalog, name);
  if (found) return *std::move(found);
  // A .baiengine crosses as a file.
  found = engine::newest_of(catalog, catalog.artifacts(), [&](const Artifact& artifact) {
    return is_stored_baiengine(artifact) && (artifact.id() == name || artifact.name == name);
  });
  if (found) return *std::move(found);
  std::set<std::string> names;
  for (const auto& one : engine::stored_engines(catalog)) names.insert(one.name);
  throw Error(ErrorCode::not_found, fmt::format("the store holds no engine '{}'", printable(name)),
              names.empty() ? "engines come in bundles, or as a file: liftlock engine install FILE.tar"
                            : fmt::format("it holds {}", printable(fmt::format("{}", fmt::join(names, ", ")))));
}

/// What to do with an engine that was just installed.
std::string next_step(const std::string& full_name, const std::vector<std::string>& default_of) {
  if (default_of.empty())
    return fmt::format(
        "\nnext: liftlock engine default {} makes it the default, liftlock engine show {} says what it needs",
        printable(full_name), printable(full_name));
  return "\nnext: liftlock model ls lists what it may load, liftlock model fit MODEL says whether that fits";
}

struct Options {
  std::string name;  ///< or a file
  std::string expect;
  bool anyway = false;
  bool make_default = false;
  std::string base;
  std::string reason;

  engine::Unsuited unsuited() const { return anyway ? engine::Unsuited::install : engine::Unsuited::refuse; }
};

bool is_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".tar") || name.ends_with(".baiengine");
}

void print_installed(Invocation& invocation, const Site& site, const Options& options, const std::string& what,
                     const engine::InstalledEngine& one) {
  const auto formats = make_default(invocation, site, one, options.make_default ? Replace::yes : Replace::no);
  Json json = {{"engine", what},
               {"full_name", full_name(one)},
               {"folder", one.folder.string()},
               {"installed", true},
               {"believed_by", one.facts.believed_by},
               {"base", one.facts.base ? Json(one.facts.base->engine) : Json()},
               {"notes", one.facts.notes},
               {"default_of", formats}};
  invocation.print(json, [&] {
    auto out = engine_label(one.facts);
    if (!out.empty()) out += "\n";
    out += base_text(one.facts) + fmt::format("{} is installed as {}", printable(what), printable(full_name(one)));
    if (!formats.empty()) out += fmt::format(", and the default of {}", fmt::join(formats, ", "));
    return out + next_step(full_name(one), formats);
  });
}

void install_file(Invocation& invocation, const Site& site, const Options& options) {
  EngineFileRequest request{.file = options.name,
                            .expected = {},
                            .unsuited = options.unsuited(),
                            .base = options.base,
                            .reason = options.reason};
  if (!options.expect.empty()) request.expected = parse_digest(options.expect);
  record_config(invocation, site);
  print_installed(invocation, site, options, options.name, import_engine(invocation, site, request));
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const auto site = invocation.site();
  site.require_zone("engine install", {Zone::ingest, Zone::production});
  site.require_own();
  if (is_file(options.name)) return install_file(invocation, site, options);
  if (!options.expect.empty())
    fail(ErrorCode::usage, "--expect is for a FILE; an engine of the store came in a bundle");
  if (!options.reason.empty())
    fail(ErrorCode::usage, "--reason is for a FILE that nobody vouches for; an engine of the store came in a bundle");
  const auto artifact = find_engine_artifact(Catalog(site.catalog_file()), options.name);
  const auto& file = artifact.files.at(0);
  auto package = BlobStore(site.store_folder()).open(file.digest);
  // As models at their loads: the catalog alone vouches for nothing.
  const auto trust = trust_of(site);
  (void)require_believed(artifact, Catalog(site.catalog_file(), Access::read), BlobStore(site.store_folder()),
                         AuditLog(site.audit_folder(), ""), trust);
  // The store is trusted by name only after the bytes were hashed again: an engine is code.
  if (const auto actual = sha256_of_file(package.get(), file.path.text()); actual != file.digest) {
    fail(ErrorCode::blob_corrupt, "'{}' has {} instead of {}", file.path.text(), actual.text(), file.digest.text());
  }
  if (is_stored_baiengine(artifact)) {
    record_config(invocation, site);
    const EngineFileRequest request{.file = std::string(file.path.filename()),
                                    .expected = {},
                                    .unsuited = options.unsuited(),
                                    .base = options.base,
                                    .reason = {}};
    return print_installed(invocation, site, options, artifact.id(),
                           install_stored_baiengine(invocation, site, artifact, std::move(package), request));
  }
  if (!options.base.empty())
    fail(ErrorCode::usage, "--base is for a .baiengine; {} brings its own C library", artifact.id());
  const auto manifest = engine::EngineReader(package.get()).manifest();
  const auto folder = engine::folder_of(site.engines_folder(), manifest);
  const bool existed = fs::exists(folder);
  record_config(invocation, site);
  if (!existed) {
    AuditLog log(site.audit_folder(), "");
    engine::EngineFacts facts;
    facts.origin = artifact.id();
    facts.package = file.digest.text();
    facts.believed_by = "bundle";
    (void)engine::install_engine(log,
                                 {.type = "engine.install",
                                  .actor = invocation.actor(),
                                  .outcome = Outcome::intent,
                                  .subject = artifact.id(),
                                  .detail = dump_json_line({{"package", file.digest.text()}})},
                                 package.get(), site.engines_folder(), std::move(facts), engine::probe_machine(),
                                 options.unsuited());
  }
  const auto name = fmt::format("{}/{}", folder.parent_path().filename().string(), folder.filename().string());
  const auto formats = make_default(invocation, site, engine::find_engine(site.engines_folder(), name),
                                    options.make_default ? Replace::yes : Replace::no);
  const Json json = {{"engine", artifact.id()},
                     {"full_name", name},
                     {"folder", folder.string()},
                     {"installed", !existed},
                     {"default_of", formats}};
  invocation.print(json, [&] {
    auto out = fmt::format("{} {} as {}", artifact.id(), existed ? "was installed already" : "is installed", name);
    if (!formats.empty()) out += fmt::format(", and the default of {}", fmt::join(formats, ", "));
    return existed ? out : out + next_step(name, formats);
  });
}

}  // namespace

void add_engine_install(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("install", "Unpack an engine of the store, or of a file, beside other versions");
  auto options = std::make_shared<Options>();
  command
      ->add_option(
          "NAME", options->name,
          "Name or id of the engine, as `liftlock ls --kind engine` shows it; or the FILE.tar or FILE.baiengine of "
          "one")
      ->required();
  command->add_option("--expect", options->expect, "SHA-256 of FILE, as announced by another way");
  command->add_flag("--default", options->make_default,
                    "Make it the default of its format; the first one is in any case");
  command->add_flag("--anyway", options->anyway, "Also a variant that this machine cannot run, without trying it");
  command
      ->add_option("--base", options->base,
                   "Installed engine whose C library a .baiengine gets (default: the one that fits)")
      ->type_name("ENGINE");
  add_reason(*command, options->reason, "Why a FILE that nobody vouches for is installed; written to the audit log");
  command->footer(
      "Its programs are asked for their options in the sandbox; one that does not start, or lacks what we need, is\n"
      "refused and leaves nothing behind.\n"
      "A FILE is believed for --expect, or for a FILE.sha256 beside it that builders signed (FILE.sha256.asc or\n"
      "FILE.sha256.sigstore.json), a .baiengine also for signatures in it; without any of these only where\n"
      "unsigned_imports = true stands in [policy] of config.toml, with --reason, and it stays labelled.\n"
      "Examples:\n"
      "  liftlock engine install llama.cpp\n"
      "  liftlock engine install llama-b8146.baiengine --base llama.cpp/8941-cpu --expect SHA256");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
