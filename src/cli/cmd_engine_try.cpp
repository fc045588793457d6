#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/engine_view.hpp"
#include "os/run_folder.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
  std::string program;
  std::vector<std::string> arguments;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("engine try", {Zone::ingest, Zone::production});
  const auto engine = engine::find_engine(site.engines_folder(), options.name);
  block_end_signals();
  std::vector<engine::SharedFile> files;
  files.push_back({"/try/program", open_file(options.program, O_RDONLY)});
  const RunFolder run_folder("try");
  const TemporaryFolder logs;
  auto spec = engine::sandbox_for(engine, files, run_folder.path(), logs.path() / "log");
  spec.argv = {"/try/program"};
  spec.deadly_calls = DeadlyCalls::end_their_process;  // it may go on with its other attempts in children
  spec.argv.insert(spec.argv.end(), options.arguments.begin(), options.arguments.end());
  Sandbox sandbox(std::move(spec));
  const auto status = wait_for_end(sandbox);
  const auto said = read_file(logs.path() / "log", 16u << 20);
  invocation.print({{"status", status}, {"output", printable(said)}}, [&] { return said; });
  if (status != 0) fail(ErrorCode::engine_failed, "the program ended with status {}", status);
}

}  // namespace

void add_engine_try(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("try", "Run a program of yours in an engine's place, to see what the sandbox stops");
  auto options = std::make_shared<Options>();
  command->add_option("ENGINE", options->name, "Name of an installed engine")->required();
  command
      ->add_option("PROGRAM", options->program,
                   "A program of this machine; best a static one, since only the engine's libraries are there")
      ->required();
  command->add_option("ARGUMENTS", options->arguments, "Its arguments");
  command->footer("Example: liftlock engine try llama.cpp ./probe");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
