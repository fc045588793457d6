// Child processes: a program with its arguments (never through a shell), bounded output, bounded time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace liftlock {

struct ProcessSpec {
  std::vector<std::string> argv;                       ///< argv[0] is looked up in PATH. Never holds secrets.
  std::string input;                                   ///< written to its standard input
  std::map<std::string, std::string> set_environment;  ///< added to the inherited environment
  std::vector<std::string> unset_environment;
  bool clear_environment = false;
  std::filesystem::path working_folder;  ///< empty: ours
  std::uint64_t max_output = 64u << 20;  ///< for stdout and stderr each
  std::chrono::seconds timeout = std::chrono::minutes(30);
  /// When we stop it, and when we die (Ctrl-C, kill), all that it started ends with it, also where it ended before and
  /// left somebody who holds its output: SIGTERM to its group, SIGKILL 2 s later. Without it SIGKILL ends its group
  /// when we stop it, and nothing but the program itself when we die.
  bool end_all = false;
};

struct ProcessResult {
  int status = 0;  ///< exit status, or 128 + signal
  std::string output;
  std::string error_output;
};

/// Runs it to its end in a process group of its own, killed with us (PR_SET_PDEATHSIG) and when time or output runs
/// out; end_all says what of it.
/// @throws Error{tool_missing} when argv[0] is not found, Error{tool_failed} on timeout, Error{limit_exceeded} on
/// output.
ProcessResult run_process(const ProcessSpec& spec);

/// run_process, and Error{tool_failed} with the last lines of stderr when the status is not 0.
ProcessResult run_process_checked(const ProcessSpec& spec);

/// The full path of a program in PATH.
std::optional<std::filesystem::path> find_program(const std::string& name);

}  // namespace liftlock
