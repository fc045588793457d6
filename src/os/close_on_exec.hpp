// What a program that is started must not inherit.
#pragma once

namespace liftlock {

/// Marks every descriptor from `first` on to be closed by exec. For a child between fork and exec, where only
/// async-signal-safe calls are allowed: libraries open sockets without close-on-exec (libcurl, Boost.Asio), and another
/// thread may be between open and fcntl. What the program shall have is cleared of the mark afterwards.
void close_on_exec_from(int first);

}  // namespace liftlock
