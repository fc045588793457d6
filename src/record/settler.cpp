#include "record/settler.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "audit/audit_entry.hpp"
#include "base/error.hpp"
#include "record/segment_files.hpp"

namespace liftlock::record {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds k_chores_every{1};
/// What is larger is synced where it belongs: to write it twice would take longer.
constexpr std::size_t k_max_ahead = 1u << 20;
constexpr std::size_t k_max_parts = 1000;

/// The bytes of segments, at their places.
void restore_frames(const fs::path& folder, const std::vector<AheadGroup>& groups) {
  std::map<std::uint32_t, std::optional<UniqueFd>> segments;
  for (const auto& group : groups) {
    for (const auto& part : group.parts) {
      const auto name = segment_name(part.segment) + ".rec";
      auto found = segments.find(part.segment);
      if (found == segments.end()) {
        found = segments.emplace(part.segment, open_file_if_exists(folder / name, O_WRONLY)).first;
      }
      if (!found->second) continue;  // all its records were erased, and it was removed
      const int fd = found->second->get();
      if (regular_size(fd, name) < part.offset) {
        throw Error(ErrorCode::blob_corrupt, fmt::format("{} lacks what was synced", name),
                    "somebody cut it, or the disk fails: restore STATE/records from a backup");
      }
      write_at(fd, part.bytes, part.offset, name);
    }
  }
  for (const auto& [number, fd] : segments) {
    if (fd) sync_file(fd->get(), segment_name(number) + ".rec");
  }
}

/// Those that the log does not hold, in their order.
std::vector<std::string> missing_entries(const AuditLog& log, const std::vector<AheadGroup>& groups) {
  // These are 8 MiB at most; the log from there on can be of any size.
  std::unordered_set<std::string_view> lacking;
  for (const auto& group : groups) lacking.insert(group.entries.begin(), group.entries.end());
  log.for_each(groups.front().log, log.size(), [&](const AuditEntry& entry) {
    lacking.erase(entry_to_bytes(entry.event, entry.time));
    return !lacking.empty();
  });
  std::vector<std::string> missing;
  for (const auto& group : groups) {
    for (const auto& entry : group.entries) {
      if (lacking.erase(entry) == 0) continue;
      with_context("in records/ahead", [&] { entry_from_bytes(entry, 0); });
      missing.emplace_back(entry);
    }
  }
  return missing;
}

}  // namespace

void settle_what_was_left(const fs::path& folder, AuditLog& log) {
  const auto bytes = read_ahead_file(folder);
  const auto groups = unsettled_groups(ahead_groups(bytes));
  if (groups.empty()) return;
  restore_frames(folder, groups);
  // What the log shows may be in the memory of this machine alone: its sync failed, or never began. So all of it is
  // made durable afresh, and what it shows after that counts.
  log.append_made({});
  if (const auto missing = missing_entries(log, groups); !missing.empty()) log.append_made(missing);
}

bool may_be_unsettled(const fs::path& folder) noexcept {
  try {
    return !ahead_groups(read_ahead_file(folder)).empty();
  } catch (const std::exception&) {
    return true;
  }
}

Settler::Settler(Options options, AuditLog& log)
    : m_options(std::move(options)), m_log(log), m_ahead(m_options.folder), m_log_size(log.size()) {
  if (::getentropy(m_run.data(), m_run.size()) != 0) fail_errno("getentropy");
  m_thread = std::thread([this] { run(); });
}

Settler::~Settler() {
  {
    const std::lock_guard guard(m_mutex);
    m_stopping = true;
  }
  m_wake.notify_one();
  m_thread.join();
}

void Settler::commit(const std::vector<std::shared_ptr<Segment>>& segments, std::vector<std::string> entries) {
  const auto number = ++m_number;
  std::unique_lock guard(m_mutex);
  require_healthy();
  guard.unlock();
  auto held = Held::nowhere;
  try {
    held = write_ahead(segments, entries, number);
  } catch (const std::exception& error) {
    guard.lock();
    if (m_failure.empty()) m_failure = error.what();
    m_wake.notify_one();
    throw;
  }
  guard.lock();
  const bool was_idle = m_given == m_settled;
  std::move(entries.begin(), entries.end(), std::back_inserter(m_entries));
  m_segments.insert(segments.begin(), segments.end());
  m_given = number;
  m_urgent = m_urgent || held != Held::ahead;
  const bool wakes = was_idle || m_urgent;
  guard.unlock();
  if (wakes) m_wake.notify_one();
  if (held != Held::nowhere) return;
  guard.lock();
  m_told.wait(guard, [&] { return m_settled >= number || !m_failure.empty(); });
  if (m_settled < number) require_healthy();
}

/// Precondition of the file: what a group says of a segment begins where the one before it ended, or lies behind what
/// was synced. So a power cut leaves no hole that is not filled from here.
Settler::Held Settler::write_ahead(const std::vector<std::shared_ptr<Segment>>& segments,
                                   const std::vector<std::string>& entries, std::uint64_t number) {
  std::vector<Segment::Tail> tails;
  std::size_t size = 0;
  bool known = segments.size() <= k_max_parts;
  AheadGroup group{.run = m_run, .number = number, .settled = m_settled, .log = m_log_size, .parts = {}, .entries = {}};
  tails.reserve(segments.size());
  for (const auto& segment : segments) {
    const auto& tail = tails.emplace_back(segment->take_tail());
    known = known && tail.known;
    size += tail.bytes.size();
    group.parts.push_back({segment->number(), tail.offset, tail.bytes});
  }
  for (const auto& entry : entries) size += entry.size();
  if (!known || size > k_max_ahead) return Held::nowhere;
  group.entries.assign(entries.begin(), entries.end());
  switch (m_ahead.write(group)) {
    case AheadFile::Written::yes:
      return Held::ahead;
    case AheadFile::Written::in_a_new_half:
      return Held::ahead_in_a_new_half;
    case AheadFile::Written::no:
      break;
  }
  return Held::nowhere;
}

void Settler::require_healthy() const {
  if (!m_failure.empty()) throw Error(ErrorCode::record_unwritable, m_failure);
}

void Settler::run() {
  auto next_chores = steady_clock::now() + k_chores_every;
  auto not_before = steady_clock::now();
  std::unique_lock guard(m_mutex);
  const auto has_work = [&] { return m_given > m_settled; };
  const auto must_not_wait = [&] { return m_stopping || !m_failure.empty(); };
  try {
    for (;;) {
      m_wake.wait_until(guard, next_chores, [&] { return must_not_wait() || has_work(); });
      m_wake.wait_until(guard, not_before, [&] { return must_not_wait() || m_urgent || !has_work(); });
      if (!m_failure.empty()) return;
      const auto upto = m_given;
      const auto entries = std::exchange(m_entries, {});
      const auto segments = std::exchange(m_segments, {});
      m_urgent = false;
      const bool last = m_stopping;
      guard.unlock();
      const auto started = steady_clock::now();
      if (upto > m_settled) {
        settle(segments, entries);
        // Who waits for it waits no longer, whatever becomes of the rest.
        guard.lock();
        m_settled = upto;
        m_told.notify_all();
        guard.unlock();
        m_options.after();
        not_before = started + m_options.pause;
      }
      if (started >= next_chores || last) {
        m_options.chores();
        next_chores = started + k_chores_every;
      }
      if (last) m_ahead.clear();
      guard.lock();
      if (last) return;
    }
  } catch (const std::exception& error) {
    // Nothing is tried again: what waits is durable in the file, and the next process settles it.
    if (!guard.owns_lock()) guard.lock();
    if (m_failure.empty()) m_failure = error.what();
    m_told.notify_all();
    guard.unlock();
    m_options.failed(error.what());
  }
}

void Settler::settle(const std::set<std::shared_ptr<Segment>>& segments, const std::vector<std::string>& entries) {
  for (const auto& segment : segments) segment->sync();
  m_log_size = m_log.append_made(entries) + entries.size();
}

}  // namespace liftlock::record
