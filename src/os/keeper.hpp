// Sees to it that nothing that a program started outlives the program, or us. The kernel's own signal at a parent's
// death (PR_SET_PDEATHSIG) is not enough: it is forgotten when a process changes its credentials, as bubblewrap does
// while it makes its namespaces. Source: prctl(2), PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace liftlock {

enum class KeeperSession : std::uint8_t {
  own,     ///< nothing reaches what it keeps from a terminal
  shared,  ///< what it keeps stays in the foreground of its terminal: reads it, and gets its Ctrl-C
};

/// Makes the calling process, a fresh child of `parent`, a keeper: told of its parent's death, and the one that orphans
/// below it fall to. All signals are blocked from here on.
/// Async-signal-safe; ends the process when the parent is gone already.
void become_keeper(pid_t parent, KeeperSession session = KeeperSession::own);

/// In the child of a keeper that becomes the program: undoes what it must not inherit. Call it after the last change of
/// credentials. Async-signal-safe.
void leave_keeper(pid_t keeper);

/// Keeps `program`, the keeper's only child, with no descriptor open: when it ends, on SIGTERM and when the keeper's
/// parent dies, everything below is killed. Ends with the program's status (128 + signal). Async-signal-safe.
[[noreturn]] void keep(pid_t program);

/// The same for a program that leads a process group of its own and may have to tidy up: on SIGTERM and when the
/// keeper's parent dies, its group gets SIGTERM (where it has ended before, each that it left behind), and 2 s later
/// everything below is killed. It keeps what a program leaves behind at its own end, too, until the parent lets go;
/// what is there then stays.
[[noreturn]] void keep_gently(pid_t program);

/// Tells a keep_gently() that its parent waits for the program's end alone, and no longer for who holds its pipes. The
/// keeper must have closed its descriptors, as the end of such a pipe shows.
void let_go(pid_t keeper);

/// Kills each child of this process, and what falls to it from them where it is a subreaper, until none is left.
/// SIGCHLD is blocked, and this thread is the only one.
void end_children();

}  // namespace liftlock
