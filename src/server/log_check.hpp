// The whole audit log, verified while the mirror serves: once after the start, then daily.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "base/reporter.hpp"

namespace liftlock {

/// Type of the entry that a check leaves: a failure when it found damage, a success when it found none after that. Its
/// subject is the log's name.
inline constexpr std::string_view k_log_check_event = "audit.verify";

/// The entry for a check that found this, or nothing.
AuditEvent log_check_event(const AuditLog& log, std::string_view actor, const Error* damage);
/// Is that damage, or a disk that is full? The latter tells nothing of the log.
bool is_damage(const Error& error);

struct LogCheckTimes {
  std::chrono::milliseconds while_good = std::chrono::hours(24);
  std::chrono::milliseconds while_damaged = std::chrono::minutes(10);
};

class LogCheck {
 public:
  using Times = LogCheckTimes;
  /// Starts at once, on a thread of its own that gives way to others.
  /// @param log, reporter must outlive this object
  LogCheck(AuditLog& log, Reporter& reporter, std::string actor, Times times);
  /// Ends a check that is under way.
  ~LogCheck();
  LogCheck(const LogCheck&) = delete;
  LogCheck& operator=(const LogCheck&) = delete;

  struct Found {
    bool damaged = false;
    Timestamp checked{};  ///< when the last check ended; the epoch before the first has
  };
  Found found() const;

 private:
  void run();
  void check();
  /// Does the log itself say that it is damaged?
  bool log_says_damaged() const;

  AuditLog& m_log;
  Reporter& m_reporter;
  const std::string m_actor;
  const Times m_times;
  mutable std::mutex m_mutex;
  std::condition_variable m_wake;
  Found m_found;
  std::optional<bool> m_told;  ///< what the log says; of the thread
  bool m_stop = false;
  std::thread m_thread;
};

}  // namespace liftlock
