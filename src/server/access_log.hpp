// The access log: one line of JSON for each request. Format: docs/formats/access-log.md.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "net/server.hpp"
#include "os/file.hpp"

namespace liftlock {

struct AccessLogOptions {
  std::optional<fs::path> file;         ///< nothing: standard error
  std::uint64_t max_bytes = 64u << 20;  ///< then it becomes FILE.1, and what was that FILE.2, up to FILE.4
};

/// The line without its end. Never a query, a header or a body.
std::string access_line(const HttpExchange& exchange, std::chrono::system_clock::time_point ended);

/// Writes on a thread of its own, a tenth of a second later. Who answers is never held up: what the disk does not take,
/// or does not take fast enough, is dropped and counted. A file that was moved away or removed is begun anew, so that
/// nobody has to tell who writes it; several processes may write one file.
class AccessLog {
 public:
  explicit AccessLog(AccessLogOptions options);
  /// Writes what waits.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Any thread.
  void write(const HttpExchange& exchange);
  std::uint64_t lines() const { return m_lines; }
  std::uint64_t dropped() const { return m_dropped; }

 private:
  void run();
  void put(const std::string& batch);
  void open();
  bool is_moved_away() const;
  void rotate();

  const AccessLogOptions m_options;
  std::atomic<std::uint64_t> m_lines = 0, m_dropped = 0;
  std::mutex m_mutex;
  std::condition_variable m_wake;
  std::string m_waiting;
  std::uint64_t m_count = 0;  ///< lines in it
  bool m_stop = false;
  UniqueFd m_file;      ///< the thread's
  bool m_torn = false;  ///< the last write may have left half a line
  std::thread m_thread;
};

}  // namespace liftlock
