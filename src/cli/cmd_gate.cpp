#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/command_words.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/model_serving.hpp"
#include "cli/store_view.hpp"
#include "engine/load_gate.hpp"
#include "os/private_view.hpp"
#include "os/process.hpp"
#include "os/restarts.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> command;
  bool restart = false;
};

/// @throws Error{tool_missing}
fs::path require_program(const std::string& name) {
  const auto found = find_program(name);
  std::error_code ignored;
  if (found && fs::is_regular_file(*found, ignored)) return *found;
  const auto shown = printable(name);
  if (name.find('/') == std::string::npos) {
    throw Error(ErrorCode::tool_missing, fmt::format("no folder of PATH has a program '{}'", shown),
                "write its whole path, or install what brings it; sudo and systemd units have a PATH of their own");
  }
  if (!fs::is_regular_file(name, ignored)) {
    throw Error(ErrorCode::tool_missing, fmt::format("there is no program '{}'", shown),
                "after -- comes a program, by its path or as a name that PATH leads to, and then its words");
  }
  throw Error(ErrorCode::tool_missing, fmt::format("'{}' may not be run", shown),
              "look at its mode (chmod +x), and whether its file system is mounted noexec");
}

/// Each {} becomes the path of what was checked.
std::vector<std::string> with_path(std::vector<std::string> command, const std::string& path) {
  for (auto& word : command) {
    for (auto at = word.find("{}"); at != std::string::npos; at = word.find("{}", at + path.size()))
      word.replace(at, 2, path);
  }
  return command;
}

void require_place(const std::vector<std::string>& command) {
  if (std::any_of(command.begin(), command.end(), [](auto& word) { return word.find("{}") != std::string::npos; }))
    return;
  fail(ErrorCode::usage, "no word of the command is {{}}, so it would not get what was checked");
}

/// A model of several files is a folder to its engine: "models/NAME/config.json" is config.json in it.
std::string name_in_folder(const Artifact& model, const ArtifactFile& file) {
  const auto prefix = fmt::format("models/{}/", model.name);
  const auto& path = file.path.text();
  return path.starts_with(prefix) ? path.substr(prefix.size()) : std::string(file.path.filename());
}

/// The path for {}: of one file its descriptor, of several a folder that only the command sees.
std::string show(const Site& site, const BlobStore& store, const engine::CheckedModel& checked) {
  if (checked.files.size() == 1) {
    const int fd = checked.files[0].file.get();
    if (::fcntl(fd, F_SETFD, 0) != 0) fail_errno("hand on the model's descriptor");
    return fmt::format("/proc/self/fd/{}", fd);
  }
  std::vector<ShownFile> files;
  for (std::size_t i = 0; i < checked.files.size(); ++i) {
    const auto& file = checked.artifact.files[i];
    const auto& opened = checked.files[i];
    files.push_back({name_in_folder(checked.artifact, file), opened.file.get(),
                     opened.in_memory ? fs::path() : store.path(file.digest)});
  }
  const auto folder = site.gate_folder();
  show_privately(folder, files);
  return folder.string();
}

/// @param starts is called right before this process becomes the program
[[noreturn]] void become(Invocation& invocation, const Options& options, const fs::path& program,
                         const std::function<void()>& starts) {
  const auto site = invocation.site();
  const auto model =
      engine::require_model(Catalog(site.catalog_file()), engine::Choices(site.aliases_file()), options.model);
  record_config(invocation, site);
  const BlobStore store(site.store_folder());
  const auto checked = [&] {
    AuditLog log(site.audit_folder(), "");
    ProgressTask progress(invocation.reporter(), "check the model", Unit::bytes, model.total_size());
    return engine::pass_gate(store, log, gate_policy(site), model, invocation.actor(), {{"gate", program.string()}},
                             [&](std::uint64_t done) { progress.advance(done); });
  }();
  auto words = with_path(options.command, show(site, store, checked));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  starts();
  ::execv(program.c_str(), argv.data());
  fail_errno("start " + program.string());
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("gate", {Zone::ingest, Zone::production});
  site.require_own();
  const auto program = require_program(options.command.at(0));
  require_place(options.command);
  if (!options.restart) become(invocation, options, program, [] {});
  RestartTerms terms;
  terms.on_restart = [&](int status, std::chrono::milliseconds wait) {
    invocation.reporter().warn(
        fmt::format("{} ended with status {}; the model is checked, and it is started again, in {:.2f} s",
                    printable(program.string()), status, static_cast<double>(wait.count()) / 1000));
  };
  const auto again = [&](const std::function<void()>& starts) { become(invocation, options, program, starts); };
  invocation.set_status(keep_running(again, terms));
}

}  // namespace

void add_gate(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("gate", "Check a model's bytes, then become a program that loads these very bytes");
  auto options = std::make_shared<Options>();
  add_model_argument(*command, "MODEL", options->model, "Alias")->required();
  command->add_flag("--restart", options->restart,
                    "Stay beside the program, and when it fails check the model and start it again, after a wait that "
                    "grows from 250 ms to a minute; what is refused, and what ends well or is asked to end, is not "
                    "started again");
  command
      ->add_option("COMMAND", options->command,
                   "After --: the program and its words; {} is the path of the checked file, or of the folder of them")
      ->required();
  command->footer(
      "For engines that Liftlock does not supervise. Nobody can put another file behind {}: of one file it is the\n"
      "descriptor that was hashed; several stand in a folder that only the program sees, read-only, each the very "
      "file\n"
      "that was hashed. No other sandbox is set up.\n"
      "Examples:\n"
      "  liftlock gate tiny -- sha256sum {}\n"
      "  liftlock gate llama-3-70b -- vllm serve {} --tensor-parallel-size 2\n"
      "  liftlock gate --restart llama-3-70b -- vllm serve {}");
  command->callback([&invocation, options] {
    options->command = words_of_command(std::move(options->command));
    run(invocation, *options);
  });
}

}  // namespace liftlock
