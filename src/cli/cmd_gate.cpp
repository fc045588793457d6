#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/model_serving.hpp"
#include "engine/load_gate.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> command;
};

/// Each {} becomes the path of the descriptor that was checked.
std::vector<std::string> with_descriptor(std::vector<std::string> command, int fd) {
  const auto path = fmt::format("/proc/self/fd/{}", fd);
  bool is_used = false;
  for (auto& word : command) {
    for (auto at = word.find("{}"); at != std::string::npos; at = word.find("{}", at + path.size())) {
      word.replace(at, 2, path);
      is_used = true;
    }
  }
  if (!is_used) throw Error(ErrorCode::usage, "no word of the command is {}, so it would not get the checked file");
  return command;
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("gate", {Zone::ingest, Zone::production});
  site.require_own();
  const auto program = find_program(options.command.at(0));
  if (!program) fail(ErrorCode::tool_missing, "there is no program '{}'", options.command.at(0));
  const auto model =
      engine::require_model(Catalog(site.catalog_file()), engine::Choices(site.aliases_file()), options.model);
  if (model.files.size() != 1) {
    fail(ErrorCode::usage, "'{}' has {} files, and one descriptor is handed on", model.name, model.files.size());
  }
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  ProgressTask progress(invocation.reporter(), "check the model", Unit::bytes, model.total_size());
  const auto checked =
      engine::pass_gate(BlobStore(site.store_folder()), log, gate_policy(site), model, invocation.actor(),
                        {{"gate", program->string()}}, [&](std::uint64_t done) { progress.advance(done); });
  const int fd = checked.files[0].file.get();
  auto words = with_descriptor(options.command, fd);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  if (::fcntl(fd, F_SETFD, 0) != 0) fail_errno("hand on the model's descriptor");
  ::execv(program->c_str(), argv.data());
  fail_errno("start " + program->string());
}

}  // namespace

void add_gate(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("gate", "Check a model's bytes, then become a program that loads these very bytes");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "Name, name@version or id of a model of one file")->required();
  command
      ->add_option("COMMAND", options->command,
                   "After --: the program and its words; {} is the path of the checked file")
      ->required();
  command->footer(
      "For engines that Liftlock does not supervise. Nobody can put another file behind {}: it is the descriptor that "
      "was\n"
      "hashed. No sandbox is set up; the program is started as it is.\n"
      "Example: liftlock gate tiny -- sha256sum {}");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
