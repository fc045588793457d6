// The output of a program that runs for months, kept within bounds: it writes into a pipe and never learns how large
// its log is, or that the disk is full.
#pragma once

#include <cstdint>
#include <span>
#include <thread>

#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

/// Reads a pipe on a thread of its own and appends to `log`; before that grows past `max_bytes` it becomes `log`.1, in
/// the place of the one before. So does what the program before wrote: its last words may say why it ended. What the
/// disk does not take is dropped: the writer is never held up.
class LogPump {
 public:
  /// `log` begins anew, with what is in it kept as `log`.1. @throws Error{io_error, disk_full}
  LogPump(fs::path log, std::uint64_t max_bytes);
  ~LogPump();
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;

  /// For the program's stdout and stderr; closes with exec.
  int write_end() const { return m_write.get(); }
  /// Our own copy of the write end, once the program has its own.
  void close_write_end() { m_write.reset(); }
  /// Returns when all that was written so far is in the log. Nothing is read any more.
  void finish();

 private:
  void pump();
  void append(std::span<const std::uint8_t> bytes);

  fs::path m_log;
  std::uint64_t m_max_bytes;
  std::uint64_t m_size = 0;
  UniqueFd m_file;
  UniqueFd m_read;
  UniqueFd m_write;
  UniqueFd m_stop_read;
  UniqueFd m_stop_write;  ///< closed to say: read what is there, then end
  std::thread m_thread;
};

}  // namespace liftlock
