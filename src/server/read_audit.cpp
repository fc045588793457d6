#include "server/read_audit.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/shown_path.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_waiting = 20'000;
constexpr std::size_t k_max_path = 2'000;
constexpr std::size_t k_events_per_commit = 1'000;
constexpr std::chrono::milliseconds k_interval{500};

}  // namespace

ReadAudit::ReadAudit(AuditLog& log) : m_log(log), m_thread([this] { run(); }) {}

ReadAudit::~ReadAudit() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
  }
  m_wake.notify_all();
  m_thread.join();
}

void ReadAudit::record(std::string_view user, std::string_view peer, std::string_view subject, std::string_view path) {
  const std::lock_guard lock(m_mutex);
  if (m_failed) fail(ErrorCode::audit_unwritable, "reads cannot be recorded");
  auto& reads = m_waiting[Key(user, peer, subject)];
  if (reads.count == 0) {
    if (m_waiting.size() > k_max_waiting) {
      m_waiting.erase(Key(user, peer, subject));
      m_wake.notify_all();
      fail(ErrorCode::audit_unwritable, "more reads than the audit log takes");
    }
  }
  ++reads.count;
  auto shown = printable(std::string_view(shown_path(path)).substr(0, k_max_path));
  shown.resize(std::min(shown.size(), k_max_path));  // a byte that is no text takes four
  if (std::find(reads.paths.begin(), reads.paths.end(), shown) != reads.paths.end()) return;
  if (reads.paths.size() < k_max_paths)
    reads.paths.push_back(std::move(shown));
  else
    ++reads.by_others;
}

std::uint64_t ReadAudit::events_written() const {
  const std::lock_guard lock(m_mutex);
  return m_written;
}

bool ReadAudit::healthy() const {
  const std::lock_guard lock(m_mutex);
  return !m_failed;
}

void ReadAudit::run() {
  std::map<Key, Reads> group;
  for (;;) {
    bool stop = false;
    {
      std::unique_lock lock(m_mutex);
      m_wake.wait_for(lock, k_interval, [this] { return m_stop || m_waiting.size() > k_max_waiting / 2; });
      stop = m_stop;
      // What could not be written stays first in line; it was served already and must not get lost.
      if (group.empty()) group.swap(m_waiting);
    }
    bool failed = false;
    try {
      commit(group);
    } catch (const Error&) {
      failed = true;
    }
    const std::lock_guard lock(m_mutex);
    m_failed = failed;
    if (stop && (failed || m_waiting.empty())) return;
  }
}

void ReadAudit::commit(std::map<Key, Reads>& group) {
  while (!group.empty()) {
    std::vector<AuditEvent> events;
    auto end = group.begin();
    for (; end != group.end() && events.size() < k_events_per_commit; ++end) {
      const auto& [user, peer, subject] = end->first;
      const auto& reads = end->second;
      Json detail = {{"count", reads.count}, {"path", reads.paths.front()}, {"peer", peer}};
      if (reads.paths.size() > 1) detail["paths"] = reads.paths;
      if (reads.by_others > 0) detail["by_other_paths"] = reads.by_others;
      events.push_back({.type = "mirror.read",
                        .actor = user.empty() ? "anonymous" : user,
                        .outcome = Outcome::success,
                        .subject = subject,
                        .detail = dump_json_line(detail)});
    }
    m_log.append(events);
    group.erase(group.begin(), end);
    const std::lock_guard lock(m_mutex);
    m_written += events.size();
  }
}

}  // namespace liftlock
