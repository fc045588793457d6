#include <array>
#include <vector>

#include "cli/cmd_audit.hpp"
#include "cli/cmd_import.hpp"
#include "cli/commands.hpp"
#include "cli/dockerfile_recipe.hpp"
#include "cli/program.hpp"

namespace liftlock {

std::string_view side_name() {
  return "high";
}

std::optional<std::string> stack_file_text(std::string_view) {
  return std::nullopt;
}

std::span<const std::string_view> commands_of_other_side() {
  static constexpr std::array<std::string_view, 6> k_names = {"lock", "fetch", "check", "pack", "diff", "abandon"};
  return k_names;
}

void add_audit_of_side(CLI::App& group, Invocation& invocation) {
  add_audit_import_logins(group, invocation);
  add_audit_ship(group, invocation);
  add_audit_spill(group, invocation);
}

void add_health_of_side(CLI::App& group, Invocation& invocation) {
  add_health_services(group, invocation);
}

void add_render_of_side(CLI::App& group, Invocation& invocation) {
  add_render_clients(group, invocation);
}

std::optional<dockerfile::Recipe> recipe_of_stack(const std::string&) {
  return std::nullopt;
}

CommandTable commands_of_side() {
  // clang-format off
  static const std::vector<AddCommand> k_commands = {
      add_ingest,
      add_import,
      add_status,
      add_receipt,
      add_request,
      add_acknowledge,
      add_retire,
      add_ring,
      add_store,
      add_push,
      add_run,
      add_ask,
      add_embed,
      add_transcribe,
      add_translate,
      add_model,
      add_chain,
      add_gate,
      add_engine,
      add_inventory,
      add_key,
      add_serve,
      add_ps,
      add_top,
      add_record,
  };
  // clang-format on
  return k_commands;
}

}  // namespace liftlock
