#include <array>
#include <vector>

#include "cli/cmd_audit.hpp"
#include "cli/cmd_import.hpp"
#include "cli/commands.hpp"
#include "cli/offline_settings.hpp"
#include "cli/program.hpp"

namespace liftlock {

std::string_view side_name() {
  return "low";
}

std::span<const std::string_view> commands_of_other_side() {
  static constexpr std::array<std::string_view, 22> k_names = {
      "ingest", "receipt", "request",   "retire", "import", "chain", "gate",       "engine",
      "serve",  "record",  "run",       "ask",    "key",    "embed", "transcribe", "translate",
      "ps",     "top",     "inventory", "ring",   "store",  "push"};
  return k_names;
}

void add_audit_of_side(CLI::App&, Invocation&) {}

void add_health_of_side(CLI::App&, Invocation&) {}

void add_render_of_side(CLI::App&, Invocation&) {}

std::string mirror_url(const Site&) {
  return {};
}

CommandTable commands_of_side() {
  // clang-format off
  static const std::vector<AddCommand> k_commands = {
      add_lock,
      add_fetch,
      add_check,
      add_pack,
      add_diff,
      add_model_packages,
      add_status,
      add_acknowledge,
      add_abandon,
  };
  // clang-format on
  return k_commands;
}

}  // namespace liftlock
