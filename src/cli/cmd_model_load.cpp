#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/commands.hpp"
#include "cli/model_session.hpp"
#include "cli/store_view.hpp"
#include "server/local_door.hpp"

namespace liftlock {
namespace {

constexpr int k_interrupted = 130;

/// With the server that runs: loading for this command alone would end with it.
ModelSession session_with_server(Invocation& invocation, const std::string& name, std::string_view command) {
  (void)read_status(invocation.site().run_folder());
  return open_model_session(invocation, name, command);
}

void load(Invocation& invocation, const std::string& name) {
  auto session = session_with_server(invocation, name, "model load");
  if (!session.load()) return invocation.set_status(k_interrupted);
  invocation.print({{"model", session.model()}, {"loaded", true}}, [&] {
    return fmt::format("{} is loaded; `liftlock ps` shows for how long if nobody asks it", printable(session.model()));
  });
}

void unload(Invocation& invocation, const std::string& name) {
  auto session = session_with_server(invocation, name, "model unload");
  if (!session.unload()) return invocation.set_status(k_interrupted);
  // Whether it is loaded at all, only the server knows.
  invocation.print({{"model", session.model()}, {"asked", true}}, [&] {
    return fmt::format("{}, if it is loaded, leaves memory once its running answers end; see `liftlock ps`",
                       printable(session.model()));
  });
}

}  // namespace

void add_model_load(CLI::App& group, Invocation& invocation) {
  auto name = std::make_shared<std::string>();
  auto* command =
      group.add_subcommand("load", "Have the running server load a model, so that the first answer is quick");
  add_model_argument(*command, "NAME", *name, "Alias")->required();
  command->footer("It is checked as any other load is.\nExample: liftlock model load demo");
  command->callback([&invocation, name] { load(invocation, *name); });
}

void add_model_unload(CLI::App& group, Invocation& invocation) {
  auto name = std::make_shared<std::string>();
  auto* command = group.add_subcommand("unload", "Have the running server take a model out of memory");
  add_model_argument(*command, "NAME", *name, "Alias")->required();
  command->footer(
      "Its engine ends once nobody uses it; one that still loads goes on.\nExample: liftlock model unload demo");
  command->callback([&invocation, name] { unload(invocation, *name); });
}

}  // namespace liftlock
