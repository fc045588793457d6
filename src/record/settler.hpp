// What is durable in records/ahead is put where it belongs, behind the backs of those who wait for records: segments
// are synced, and entries are appended to the audit log, many at a time (docs/formats/record.md). Not for other rooms.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "audit/audit_log.hpp"
#include "record/ahead_file.hpp"
#include "record/segment_writer.hpp"

namespace liftlock::record {

/// Puts what a process that ended left in FOLDER/ahead into segments and log, durably; entries that the log holds
/// already are not appended again. Where no process writes. @throws Error{blob_corrupt, too_new, …}
void settle_what_was_left(const fs::path& folder, AuditLog& log);
/// Is there anything that the log may lack? For who only looks; never throws.
bool may_be_unsettled(const fs::path& folder) noexcept;

class Settler {
 public:
  struct Options {
    fs::path folder;
    std::chrono::milliseconds pause{100};  ///< from the start of one settling to that of the next
    /// On the settler's thread, after each settling, and once a second. May throw: then it failed.
    std::function<void()> after, chores;
    std::function<void(std::string_view why)>
        failed;  ///< told once, on the settler's thread; what commit() meets itself, it throws
  };
  /// After settle_what_was_left(). The log must outlive it.
  Settler(Options options, AuditLog& log);
  /// Settles all that is left.
  ~Settler();
  Settler(const Settler&) = delete;
  Settler& operator=(const Settler&) = delete;

  /// Durable when it returns: what was appended to these segments, and the entries. One thread at a time.
  /// @throws Error: final
  void commit(const std::vector<std::shared_ptr<Segment>>& segments, std::vector<std::string> entries);

 private:
  enum class Held : std::uint8_t { ahead, ahead_in_a_new_half, nowhere };
  Held write_ahead(const std::vector<std::shared_ptr<Segment>>& segments, const std::vector<std::string>& entries,
                   std::uint64_t number);
  void run();
  void settle(const std::set<std::shared_ptr<Segment>>& segments, const std::vector<std::string>& entries);
  void require_healthy() const;

  Options m_options;
  AuditLog& m_log;
  AheadFile m_ahead;
  RunId m_run{};
  std::uint64_t m_number = 0;                ///< of the last group; the committing thread's
  std::atomic<std::uint64_t> m_settled = 0;  ///< up to this group all is in its place
  std::atomic<std::uint64_t> m_log_size;     ///< a size that the log had

  std::mutex m_mutex;
  std::condition_variable m_wake, m_told;
  std::vector<std::string> m_entries;
  std::set<std::shared_ptr<Segment>> m_segments;
  std::uint64_t m_given = 0;  ///< the last group of which the entries are in m_entries
  std::string m_failure;
  bool m_urgent = false;  ///< a commit waits for the settling, or room will be short
  bool m_stopping = false;
  std::thread m_thread;
};

}  // namespace liftlock::record
