// The whole audit log, verified before the mirror serves or while it does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
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

/// Does the last such entry say that the log is damaged? Reads the log from its end.
bool log_says_damaged(const AuditLog& log);

/// Verifies all of the log; returns the damage.
/// @param between as in AuditLog::verify; what it throws ends the check
/// @throws Error for what tells nothing of the log: no descriptor or memory was left, the disk is full or unreadable
std::optional<Error> find_damage(const AuditLog& log, const std::function<void()>& between);

/// Appends what a check found, where the log says something else.
void log_damage(AuditLog& log, std::string_view actor, const std::optional<Error>& damage);

struct LogCheckTimes {
  std::chrono::milliseconds before_first{0};
  std::chrono::milliseconds while_good = std::chrono::hours(24);
  /// Also after a check that could not be made.
  std::chrono::milliseconds while_damaged = std::chrono::minutes(10);
};

/// Checks again and again while the mirror serves.
class LogCheck {
 public:
  using Times = LogCheckTimes;
  /// Begins on a thread of its own, which gives way to others.
  /// @param log, reporter must outlive this object
  LogCheck(AuditLog& log, Reporter& reporter, std::string actor, Times times);
  /// Ends a check that is under way.
  ~LogCheck();
  LogCheck(const LogCheck&) = delete;
  LogCheck& operator=(const LogCheck&) = delete;

  struct Found {
    bool damaged = false;  ///< before the first check: what the log says of itself
    Timestamp checked{};   ///< when the last check ended; the epoch before the first has
  };
  Found found() const;

 private:
  void run();
  /// Returns how long to wait for the next.
  std::chrono::milliseconds check();

  AuditLog& m_log;
  Reporter& m_reporter;
  const std::string m_actor;
  const Times m_times;
  mutable std::mutex m_mutex;
  std::condition_variable m_wake;
  Found m_found;
  bool m_stop = false;
  std::thread m_thread;
};

}  // namespace liftlock
