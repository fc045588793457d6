// What the two executables share: building the command tree, running it, and rendering errors.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/command.hpp"

namespace liftlock {

/// A table of commands, in the order in which --help shows them.
using CommandTable = std::span<const AddCommand>;

/// Commands that both executables have.
CommandTable commands_of_both();
/// Commands of this executable's side; defined in commands_low.cpp or commands_high.cpp.
CommandTable commands_of_side();
/// Names of the commands that only the other executable has, so that an error can say where they are.
std::span<const std::string_view> commands_of_other_side();
/// "low" or "high"; defined beside commands_of_side().
std::string_view side_name();
/// A commented liftlock.toml with that name; nullopt on the high side, which has no stacks.
std::optional<std::string> stack_file_text(std::string_view name);

/// The type names of positional arguments that are ids of the store: of any artifact, and of models. Completion knows
/// them by these.
inline constexpr std::string_view k_artifact_type = "ARTIFACT";
inline constexpr std::string_view k_model_type = "ID";

struct GlobalOptions {
  std::string state;
  bool json = false;
  bool quiet = false;
};
/// The options of the program and every command of this side. All three have to outlive the parsing.
void add_everything(CLI::App& app, GlobalOptions& options, Invocation& invocation);

/// Runs the program and returns its exit status; never throws.
int run_program(int argc, char** argv);

/// The tree of commands as man pages: one file per command in the folder. For packaging. Returns how many.
std::size_t write_manual(CLI::App& app, const std::string& folder);
/// The completion script for bash.
std::string bash_completion(CLI::App& app);

}  // namespace liftlock
