// Reads of the mirror in the audit log: gathered, and committed as one group within a second.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "audit/audit_log.hpp"

namespace liftlock {

class ReadAudit {
 public:
  /// An entry holds so many, however long they are.
  static constexpr std::size_t k_max_paths = 8;

  /// @param log must outlive this object
  explicit ReadAudit(AuditLog& log);
  /// Commits what is left.
  ~ReadAudit();
  ReadAudit(const ReadAudit&) = delete;
  ReadAudit& operator=(const ReadAudit&) = delete;

  /// Notes one read, before its answer is sent. Reads of one group with equal user, peer and subject become one
  /// "mirror.read" event with their count and the paths that they went by: bytes that two packages share were read as
  /// one of them, or as both. Of more than k_max_paths paths the event has how many reads went by others. Any thread.
  /// @throws Error{audit_unwritable} when the last commit failed or too much waits: the answer must not be sent
  void record(std::string_view user, std::string_view peer, std::string_view subject, std::string_view path);

  std::uint64_t events_written() const;
  bool healthy() const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // user, peer, subject
  struct Reads {
    std::uint64_t count = 0;
    std::vector<std::string> paths;  ///< each once, in the order of their first reads
    std::uint64_t by_others = 0;
  };
  void run();
  void commit(std::map<Key, Reads>& group);

  AuditLog& m_log;
  mutable std::mutex m_mutex;
  std::condition_variable m_wake;
  std::map<Key, Reads> m_waiting;
  std::uint64_t m_written = 0;
  bool m_failed = false;
  bool m_stop = false;
  std::thread m_thread;
};

}  // namespace liftlock
