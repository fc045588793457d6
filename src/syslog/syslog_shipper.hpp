// Sends audit entries to the site's collector, at least once each, from a position that is kept durably.
// docs/formats/syslog.md. Reads the log as any reader does: nothing waits for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "audit/audit_log.hpp"
#include "base/reporter.hpp"
#include "syslog/syslog_connection.hpp"

namespace liftlock {

/// What waits for the collector.
struct SyslogStanding {
  std::uint64_t sent = 0, size = 0;
  std::optional<Timestamp> oldest;  ///< of the entries that wait
};
/// @param folder STATE/syslog. Writes nothing
SyslogStanding syslog_standing(const fs::path& folder, const AuditLog& log);

/// Sends what waits, then returns how many entries that were.
/// @param from sends from this entry on, instead of from the position
/// @throws Error{busy} when another process ships, Error{network, forbidden, log_rolled_back}
std::uint64_t ship_audit(const fs::path& folder, const fs::path& audit_folder, const SyslogTarget& target,
                         std::optional<std::uint64_t> from = std::nullopt);

/// A thread that does so once a second, and after an error 1 s to 60 s later.
class SyslogShipper {
 public:
  SyslogShipper(fs::path folder, fs::path audit_folder, SyslogTarget target, Reporter& reporter);
  /// Ends after the batch under way, or the step of it that waits (5 s).
  ~SyslogShipper();
  SyslogShipper(const SyslogShipper&) = delete;
  SyslogShipper& operator=(const SyslogShipper&) = delete;

 private:
  void run();
  bool rest(std::chrono::seconds time);

  const fs::path m_folder, m_audit_folder;
  const SyslogTarget m_target;
  Reporter& m_reporter;
  std::mutex m_mutex;
  std::condition_variable m_wake;
  bool m_stop = false;
  std::thread m_thread;
};

}  // namespace liftlock
