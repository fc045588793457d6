#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/engine_view.hpp"
#include "cli/model_serving.hpp"
#include "cli/whole_number.hpp"
#include "engine/load_gate.hpp"
#include "os/run_folder.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
  std::string model;
  unsigned patience = 300;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("engine run", {Zone::ingest, Zone::production});
  site.require_own();
  const auto engine = engine::find_engine(site.engines_folder(), options.name);
  engine::require_suited(engine, engine::this_machine());
  const Catalog catalog(site.catalog_file());
  const auto model = engine::require_model(catalog, engine::Choices(site.aliases_file()), options.model);
  engine::require_architecture(engine, catalog.inspection(model).value("architecture", std::string()));

  block_end_signals();
  const BlobStore store(site.store_folder());
  ProgressTask progress(invocation.reporter(), "check the model", Unit::bytes, model.total_size());
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  const auto policy = gate_policy(site);
  AuditEvent start{
      .type = "engine.start",
      .actor = invocation.actor(),
      .outcome = Outcome::intent,
      .subject = model.id(),
      .detail = dump_json_line({{"engine", full_name(engine)}, {"model", engine::main_digest(model).text()}})};
  const auto checked_engine = engine::pass_gate(engine, log, policy, start);
  const auto checked = engine::pass_gate(store, log, policy, model, invocation.actor(), Json::object(),
                                         [&](std::uint64_t done) { progress.advance(done); });
  const RunFolder run_folder(engine.manifest.name);
  make_folders(site.folder() / "logs");
  auto spec =
      engine::sandbox_for(engine, checked.files, run_folder.path(),
                          site.folder() / "logs" / fmt::format("{}.log", portable_component(engine.manifest.name)));
  spec.argv = engine::llama_server_arguments(engine, {.model_path = main_file(checked),
                                                      .alias = model.name,
                                                      .slots = 0,
                                                      .context = 0,
                                                      .projector_path = projector_file(checked),
                                                      .task = {}});
  Sandbox sandbox(std::move(spec), Start::when_released);
  engine::tell_of_watch(sandbox, start.detail);
  log.append(start);
  sandbox.release();
  engine::wait_until_ready(sandbox, std::chrono::seconds(options.patience));
  engine::check_again(checked);
  if (checked_engine) engine::check_again(engine, *checked_engine);
  std::cout << "ready: " << (sandbox.run_folder() / engine::k_socket_name).string() << std::endl;
  const auto status = wait_for_end(sandbox);
  if (status != 0)
    fail(ErrorCode::engine_failed, "the engine ended with status {}; its log is {}", status,
         sandbox.spec().log.string());
}

}  // namespace

void add_engine_run(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("run", "Run an engine with a model in a sandbox, until it is interrupted");
  auto options = std::make_shared<Options>();
  command->add_option("ENGINE", options->name, "Name of an installed engine, or NAME/VERSION-VARIANT")->required();
  command->add_option("--model", options->model, "Name or id of a model of the store")->required();
  command->add_option("--patience", options->patience, "Seconds that loading may take (default 300)")
      ->check(whole_number(0, 86'400));
  command->footer(
      "The model's bytes are checked, and the engine gets the very files that were checked. It has no network, a "
      "read-only\n"
      "root and a user of its own; its socket is printed once it answers.\n"
      "Example: liftlock engine run llama.cpp --model tiny");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
