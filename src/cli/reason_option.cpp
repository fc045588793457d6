#include "cli/reason_option.hpp"

#include <CLI/CLI.hpp>

#include "base/text.hpp"

namespace liftlock {

CLI::Option* add_reason(CLI::App& command, std::string& reason, const std::string& description) {
  return command.add_option("--reason", reason, description)
      ->type_name("TEXT")
      ->transform([](const std::string& text) { return std::string(trim(text)); }, "");
}

}  // namespace liftlock
