#include <array>

#include "cli/commands.hpp"
#include "cli/program.hpp"

namespace liftlock {

CommandTable commands_of_both() {
  // clang-format off
  static constexpr std::array k_commands = {
      add_init,
      add_trust,
      add_settle,
      add_sign,
      add_withhold,
      add_transfer,
      add_media,
      add_verify,
      add_inspect,
      add_store_ls,
      add_store_show,
      add_store_export,
      add_store_gc,
      add_store_scrub,
      add_report,
      add_ollama,
      add_doctor,
      add_offline,
      add_egress,
      add_checklist,
      add_lint,
      add_render,
      add_health,
      add_vendor,
      add_audit,
      add_explain,
      add_completion,
      add_manual,
      add_cell,
  };
  // clang-format on
  return k_commands;
}

}  // namespace liftlock
