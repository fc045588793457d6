// A program whose output is read as it comes, or that is fed, however much it is. Where all of it fits into memory:
// run_process().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "os/fd.hpp"

namespace liftlock {

class ProgramPipe {
 public:
  enum class Way : std::uint8_t {
    out_of,  ///< we read its output; it has no input
    into,    ///< we write its input; its output goes to our stderr. Where it reads no more, write() fails with EPIPE
  };
  /// Starts it in a process group of its own, killed with us (PR_SET_PDEATHSIG); its stderr is ours.
  /// @param argv argv[0] is looked up in PATH. Never holds secrets
  /// @throws Error{tool_missing}
  explicit ProgramPipe(std::vector<std::string> argv, Way way = Way::out_of);
  /// Kills what still runs.
  ~ProgramPipe();
  ProgramPipe(const ProgramPipe&) = delete;
  ProgramPipe& operator=(const ProgramPipe&) = delete;

  int output() const { return m_end.get(); }
  int input() const { return m_end.get(); }
  /// Of `into`: does nobody read its input any more?
  bool is_shut() const;
  /// After the last of its output, or of its input, which ends here: the exit status, or 128 + signal. Once.
  int wait();

 private:
  pid_t m_pid = -1;
  UniqueFd m_end;  ///< ours of the pipe
};

}  // namespace liftlock
