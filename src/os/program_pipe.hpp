// A program whose output is read as it comes, however much it is. Where all of it fits into memory: run_process().
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "os/fd.hpp"

namespace liftlock {

class ProgramPipe {
 public:
  /// Starts it in a process group of its own, killed with us (PR_SET_PDEATHSIG), without input; its stderr is ours.
  /// @param argv argv[0] is looked up in PATH. Never holds secrets
  /// @throws Error{tool_missing}
  explicit ProgramPipe(std::vector<std::string> argv);
  /// Kills what still runs.
  ~ProgramPipe();
  ProgramPipe(const ProgramPipe&) = delete;
  ProgramPipe& operator=(const ProgramPipe&) = delete;

  int output() const { return m_output.get(); }
  /// After the last of its output: the exit status, or 128 + signal. Once.
  int wait();

 private:
  pid_t m_pid = -1;
  UniqueFd m_output;
};

}  // namespace liftlock
