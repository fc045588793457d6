// Runs a program that we do not trust for as long as it is needed: in bubblewrap, with an empty network namespace, a
// read-only root of its own, a user of its own, no capabilities and no way to nest namespaces.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/lent_user.hpp"
#include "os/log_pump.hpp"

namespace liftlock {

class DeadlyCallWatch;

/// What becomes of a program that makes a system call which none of its kind makes (os/lockdown.hpp).
enum class DeadlyCalls : std::uint8_t {
  end_their_process,  ///< the process that makes it ends by SIGSYS; of a child, only its parent hears of it
  end_all,  ///< the sandbox ends, whoever in it makes it; as above for what cannot be seen (DeadlyCallWatch::sees), and
            ///< where a container watches calls itself
};

struct SandboxSpec {
  std::vector<std::string> argv;  ///< argv[0] is a path inside
  fs::path root;                  ///< its usr/ becomes /usr, read-only; /lib and /lib64 are links into it
  /// Files and folders shown read-only inside, by path. The descriptor is bound, so nobody can swap what is behind its
  /// name.
  std::vector<std::pair<std::string, int>> files;
  /// Files in memory alone (os/sealed_memory.hpp), which nothing can bind: the program inherits the descriptor, and the
  /// path is a link to /proc/self/fd/N.
  std::vector<std::pair<std::string, int>> memory_files = {};
  /// Host folder that is /run/liftlock inside, the only place that both sides see: for the socket. Its size and the
  /// number of its files are capped: where we are root a tmpfs of run_bytes is mounted on it; where not, that tmpfs is
  /// the sandbox's own, and the folder only gets a link to it (see Sandbox::run_folder). Empty: there is no such place.
  fs::path run_folder;
  std::uint64_t run_bytes = 1u << 20;
  std::map<std::string, std::string> environment;  ///< all of it; nothing is inherited
  fs::path log;                                    ///< takes stdout and stderr; see LogPump
  std::uint64_t max_log_bytes = 16u << 20;         ///< of the log, and of its predecessor LOG.1
  std::uint64_t max_memory = 0;                    ///< bytes of data (RLIMIT_DATA); 0: no limit
  unsigned max_processes = 512;                    ///< threads count; a user's are bounded by Linux 5.14 and later
  std::uint64_t max_file = 64u << 20;              ///< bytes of the largest file that it may write
  DeadlyCalls deadly_calls = DeadlyCalls::end_their_process;
  /// Standard input and output in place of /dev/null and the log. Needed until the sandbox is made.
  int input = -1, output = -1;
};

/// When the program is started, once its sandbox is there.
enum class Start : std::uint8_t { at_once, when_released };

/// A running sandbox. It ends with its object and with our process, and with the thread that made it, whatever was
/// started in it, at whatever moment: a keeper (os/keeper.hpp) stands between. Where we are root the program has a
/// LentUser's id; otherwise it keeps ours, alone in its user namespace.
class Sandbox {
 public:
  /// @throws Error{tool_missing} without bubblewrap, Error{sandbox_unavailable} when it cannot be set up
  explicit Sandbox(SandboxSpec spec, Start start = Start::at_once);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  /// Of bubblewrap; 0 when it was not started.
  pid_t pid() const { return m_pid; }
  /// The exit status (128 + signal) once it ended; nullopt while it runs.
  std::optional<int> poll();
  /// Waits for the end.
  int wait();
  /// Is DeadlyCalls::end_all in force? Not where it was not asked for, the kernel has no means for it, or a container
  /// watches calls itself. May wait a moment, for the child that becomes bubblewrap to say it.
  bool is_watched() const;
  /// The system call for which DeadlyCalls::end_all ended it; the exit status is 128 + SIGSYS then.
  std::optional<std::string> deadly_call() const;
  /// Starts a program that was to wait: until then no instruction of it runs, whatever becomes of us.
  /// @throws Error{sandbox_unavailable} where it cannot be bounded
  void release();
  /// Where /run/liftlock of the sandbox is for us: also after its end, as long as this object lives. Good for other
  /// processes of this user, too. Nothing is in it before the release.
  fs::path run_folder() const;
  /// Of the folders that are its own alone (/dev/shm, /tmp), those in which nothing more fits: in bytes, or in number
  /// of files. Empty also where they cannot be seen, as before and after its life.
  std::vector<std::string> full_folders() const;
  /// Asks for its end; wait() for it.
  void kill();
  const SandboxSpec& spec() const { return m_spec; }

 private:
  void prepare_run_folder();
  void begin();
  void end();
  void take_hold();
  /// Opened, once bubblewrap made it; not valid where bubblewrap ended before.
  UniqueFd own_folder(pid_t inside, const char* where, std::uint64_t bytes);
  std::vector<std::string> bubblewrap_arguments(int seccomp_fd, int info_fd, const std::vector<UniqueFd>& binds,
                                                bool staged) const;
  void set_status(int wait_status);
  SandboxSpec m_spec;
  const bool m_is_root;
  std::unique_ptr<LogPump> m_log;
  LentUser m_user;
  bool m_mounted = false;
  pid_t m_keeper = -1;
  pid_t m_pid = 0;
  std::optional<int> m_status;
  UniqueFd m_gate;        ///< bubblewrap waits for a byte from it; none once the program was released
  UniqueFd m_info;        ///< bubblewrap says there who is inside, where we are not root
  UniqueFd m_run_folder;  ///< the sandbox's own, where we are not root
  std::unique_ptr<DeadlyCallWatch> m_watch;
};

/// Sets up a sandbox that runs nothing, and ends it: takes milliseconds.
/// @throws Error{tool_missing} without bubblewrap, Error{sandbox_unavailable} when the machine does not allow one
void require_sandbox();

}  // namespace liftlock
