#include "audit/audit_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>

#include "audit/audit_entry.hpp"
#include "audit/audit_reserve.hpp"
#include "audit/audit_state.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_batch = 100'000;
constexpr std::size_t k_max_batch_bytes = 64u << 20;
/// A journal that is left to publish() does not grow further.
constexpr std::uint64_t k_long_journal = 32u << 20;

/// now() can be set by the environment; the log's times must not be.
Timestamp wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// Errors of the machine mean to the caller: nothing may happen now. A full disk stays one: freeing space mends it.
template <typename F>
auto or_unwritable(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::disk_full) {
      throw Error(
          ErrorCode::disk_full, std::string("the audit log cannot be written: ") + error.what(),
          "nothing may happen that the log does not hold: free space, e.g. with `liftlock gc`, and run it again");
    }
    if (error.code() != ErrorCode::io_error) throw;
    throw Error(ErrorCode::audit_unwritable, std::string("the audit log: ") + error.what());
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::audit_unwritable, std::string("the audit log: ") + printable(error.what()));
  }
}

/// Somebody else's log is no broken disk.
void require_permission(const fs::path& folder) {
  if (::access(folder.c_str(), W_OK) == 0 || errno != EACCES) return;
  throw Error(ErrorCode::io_error, fmt::format("no permission to write '{}'", printable(folder.string())),
              "run it as the user who owns the installation, on a file system that is mounted writable");
}

/// What the log itself wrote can be read, unless a later version wrote it.
AuditEntry entry_of(const std::string& bytes, std::uint64_t index) {
  try {
    return with_context(fmt::format("in entry {} of the audit log", index),
                        [&] { return entry_from_bytes(bytes, index); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::too_new) throw;
    throw Error(ErrorCode::audit_broken, error.what());
  }
}

[[noreturn]] void no_such_entry(std::uint64_t index, std::uint64_t size) {
  throw Error(ErrorCode::not_found, fmt::format("the audit log has no entry {}; it holds {}", index, size),
              "list its end with `liftlock audit tail`");
}

std::string reserve_entry(std::string_view log, Timestamp time) {
  return entry_to_bytes({.type = "audit.reserve",
                         .actor = current_actor(),
                         .outcome = Outcome::success,
                         .subject = std::string(log),
                         .detail = "{}"},
                        time);
}

/// On a full disk the log goes on with its reserve, and says so in the next entry.
/// @param failed a sync was what failed: that is final, also for want of room
template <typename F>
void with_reserve(const fs::path& folder, std::atomic<bool>& spent, const std::atomic<bool>& failed, F&& write) {
  while (true) {
    try {
      return write();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::disk_full || failed) throw;
      const auto slice = spend_audit_reserve(folder);
      if (slice == ReserveSlice::none) throw;
      if (slice == ReserveSlice::first) spent = true;
    }
  }
}

[[noreturn]] void no_such_size(std::uint64_t wanted, std::uint64_t size) {
  fail(ErrorCode::not_found, "the audit log holds {} entries, not {}", size, wanted);
}

}  // namespace

AuditLog::AuditLog(fs::path folder, std::string_view origin) : m_impl(std::make_unique<Impl>()) {
  m_impl->folder = std::move(folder);
  require_permission(m_impl->folder);
  or_unwritable([&] {
    make_folders(m_impl->folder);
    const FileLock lock(m_impl->folder / "lock", "an append to the audit log", FileLock::Wait::yes);
    const bool lacks_public_key = fs::exists(m_impl->journal_path()) && !fs::exists(m_impl->folder / "key.pub");
    m_impl->create(origin);
    m_impl->load_key();
    m_impl->reload_locked();
    if (!lacks_public_key) return;
    m_impl->damaged = {"key.pub"};
    m_impl->tell_news();
    m_impl->publish(Impl::Publish::changes);
  });
  keep_audit_reserve(m_impl->folder);
}

AuditLog AuditLog::open_to_read(fs::path folder) {
  auto impl = std::make_unique<Impl>();
  impl->folder = std::move(folder);
  impl->access = Access::read;
  impl->load_verifier();
  impl->check_views();
  return AuditLog(std::move(impl));
}

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}
AuditLog::AuditLog(AuditLog&&) noexcept = default;
AuditLog::~AuditLog() = default;

std::uint64_t AuditLog::append(const AuditEvent& event) {
  return append(std::vector<AuditEvent>{event});
}

std::uint64_t AuditLog::append(const std::vector<AuditEvent>& events) {
  const auto first = m_impl->append(events.size(), [&](Timestamp time) {
    std::vector<std::string> entries;
    entries.reserve(events.size() + 3);
    for (const auto& event : events) entries.push_back(entry_to_bytes(event, time));
    return entries;
  });
  publish();
  return first;
}

std::uint64_t AuditLog::append_made(const std::vector<std::string>& entries) {
  // Whoever appends nothing asks that what is there be durable, whatever became of the syncs of others.
  if (entries.empty()) return m_impl->renew();
  return m_impl->append(entries.size(), [&](Timestamp) { return entries; });
}

bool AuditLog::is_writable() const {
  const std::lock_guard guard(m_impl->mutex);
  if (m_impl->access == Access::read || m_impl->failed) return false;
  try {
    open_file(m_impl->journal_path(), O_RDWR);
    return ::access(m_impl->folder.c_str(), W_OK) == 0;
  } catch (const Error&) {
    return false;
  }
}

void AuditLog::publish() {
  const auto publish_full_tiles = [&] { m_impl->publish_full_tiles(); };
  or_unwritable([&] { with_reserve(m_impl->folder, m_impl->reserve_spent, m_impl->failed, publish_full_tiles); });
  const std::lock_guard guard(m_impl->mutex);
  if (m_impl->published == m_impl->state.size()) return;
  or_unwritable([&] {
    const FileLock lock(m_impl->folder / "lock", "an append to the audit log", FileLock::Wait::yes);
    m_impl->reload_locked();
    if (m_impl->published == m_impl->state.size()) return;
    with_reserve(m_impl->folder, m_impl->reserve_spent, m_impl->failed,
                 [&] { m_impl->publish(Impl::Publish::changes); });
  });
}

void AuditLog::Impl::shorten_journal() {
  try {
    with_reserve(folder, reserve_spent, failed, [&] { publish(Publish::changes); });
  } catch (const std::exception&) {
    // The entries are durable, and that is what was asked for. The next publish() tells.
  }
}

void AuditLog::Impl::require_healthy() const {
  if (access == Access::read) fail(ErrorCode::internal, "the audit log was opened to be read");
  if (failed) {
    fail(ErrorCode::audit_unwritable, "an earlier write to the audit log failed; its state on disk is unknown");
  }
}

std::vector<std::string> AuditLog::Impl::news(Timestamp time) const {
  std::vector<std::string> out;
  const auto tell = [&](const char* type, const Json& detail) {
    out.push_back(entry_to_bytes({.type = type,
                                  .actor = current_actor(),
                                  .outcome = Outcome::success,
                                  .subject = verifier.name,
                                  .detail = dump_json_line(detail)},
                                 time));
  };
  if (dropped_bytes > 0) tell("audit.recovered", {{"dropped_bytes", dropped_bytes}});
  if (!damaged.empty()) tell("audit.repaired", {{"files", damaged}});
  return out;
}

void AuditLog::Impl::tell_news() {
  with_reserve(folder, reserve_spent, failed, [&] { commit(news(wall_clock())); });
  news_are_told();
}

void AuditLog::Impl::news_are_told() {
  dropped_bytes = 0;
  repaired.insert(repaired.end(), damaged.begin(), damaged.end());
  damaged.clear();
}

std::uint64_t AuditLog::Impl::append(std::size_t count,
                                     const std::function<std::vector<std::string>(Timestamp)>& make) {
  if (count > k_max_batch) fail(ErrorCode::limit_exceeded, "{} audit entries at once", count);
  const std::lock_guard guard(mutex);
  require_healthy();
  return or_unwritable([&] {
    const FileLock lock(folder / "lock", "an append to the audit log", FileLock::Wait::yes);
    reload_locked();
    const auto time = wall_clock();
    auto entries = make(time);
    std::size_t bytes = 0;
    for (const auto& entry : entries) bytes += entry.size();
    if (bytes > k_max_batch_bytes) fail(ErrorCode::limit_exceeded, "{} bytes of audit entries at once", bytes);
    const auto before = news(time);
    entries.insert(entries.begin(), before.begin(), before.end());
    const auto first = state.size() + before.size();
    if (!entries.empty()) {
      bool said = false;
      with_reserve(folder, reserve_spent, failed, [&] {
        if (reserve_spent && !said) {
          entries.push_back(reserve_entry(verifier.name, time));
          said = true;
        }
        commit(entries);
        if (said) reserve_spent = false;
      });
    }
    news_are_told();
    if (state.whole_bytes > k_long_journal) shorten_journal();
    return first;
  });
}

std::uint64_t AuditLog::Impl::renew() {
  const std::lock_guard guard(mutex);
  require_healthy();
  return or_unwritable([&] {
    const FileLock lock(folder / "lock", "an append to the audit log", FileLock::Wait::yes);
    with_reserve(folder, reserve_spent, failed, [&] { renew_journal(); });
    return state.size();
  });
}

std::uint64_t AuditLog::size() const {
  return m_impl->snapshot().size();
}

std::string AuditLog::checkpoint() const {
  return m_impl->snapshot().state.checkpoint;
}

std::string AuditLog::verifier_key() const {
  return m_impl->verifier.text();
}

std::string AuditLog::name() const {
  return m_impl->verifier.name;
}

std::vector<std::string> AuditLog::repaired() const {
  const std::lock_guard guard(m_impl->mutex);
  return m_impl->repaired;
}

AuditEntry AuditLog::read(std::uint64_t index) const {
  const auto snapshot = m_impl->snapshot();
  if (index >= snapshot.size()) no_such_entry(index, snapshot.size());
  return entry_of(snapshot.bundle(index / k_tile_width).at(index % k_tile_width), index);
}

AuditEntry AuditLog::read_proven(std::uint64_t index) const {
  const auto snapshot = m_impl->snapshot();
  if (index >= snapshot.size()) no_such_entry(index, snapshot.size());
  const auto bytes = snapshot.bundle(index / k_tile_width).at(index % k_tile_width);
  const auto path = inclusion_path(index, snapshot.size(), snapshot.reader());
  if (root_by_path(index, snapshot.size(), leaf_hash(bytes), path) != snapshot.state.edge.root())
    fail(ErrorCode::audit_broken, "entry {} of the audit log is not what its checkpoint covers", index);
  return entry_of(bytes, index);
}

void AuditLog::for_each(std::uint64_t begin, std::uint64_t end,
                        const std::function<bool(const AuditEntry&)>& visit) const {
  for_each_of({}, begin, end, visit);
}

void AuditLog::for_each_of(std::string_view type, std::uint64_t begin, std::uint64_t end,
                           const std::function<bool(const AuditEntry&)>& visit) const {
  // Entries are canonical JSON: one that does not hold these bytes need not be parsed.
  const auto wanted = type.empty() ? std::string() : fmt::format("\"type\":\"{}", type);
  const auto snapshot = m_impl->snapshot();
  end = std::min(end, snapshot.size());
  while (begin < end) {
    const auto entries = snapshot.bundle(begin / k_tile_width);
    const auto first = begin - begin % k_tile_width;
    const auto stop = std::min(end, first + k_tile_width);
    for (; begin < stop; ++begin) {
      const auto& bytes = entries.at(begin - first);
      if (bytes.find(wanted) == std::string::npos) continue;
      const auto entry = entry_of(bytes, begin);
      if (entry.event.type.starts_with(type) && !visit(entry)) return;
    }
  }
}

std::optional<AuditEntry> AuditLog::find_last(std::string_view type, std::string_view subject,
                                              const std::function<bool(const AuditEntry&)>& accept) const {
  // Entries are canonical JSON: one that does not hold these bytes need not be parsed.
  const auto wanted = fmt::format("\"subject\":{},", dump_json_line(Json(std::string(subject))));
  const auto snapshot = m_impl->snapshot();
  for (auto number = (snapshot.size() + k_tile_width - 1) / k_tile_width; number-- > 0;) {
    const auto entries = snapshot.bundle(number);
    for (auto i = entries.size(); i-- > 0;) {
      if (entries[i].find(wanted) == std::string::npos) continue;
      auto entry = entry_of(entries[i], number * k_tile_width + i);
      if (entry.event.type == type && entry.event.subject == subject && (!accept || accept(entry))) return entry;
    }
  }
  return std::nullopt;
}

std::string AuditLog::prove(std::uint64_t index) const {
  const auto snapshot = m_impl->snapshot();
  if (index >= snapshot.size()) no_such_entry(index, snapshot.size());
  std::string out = fmt::format("c2sp.org/tlog-proof@v1\nindex {}\n", index);
  for (const auto& hash : inclusion_path(index, snapshot.size(), snapshot.reader())) out += encode_base64(hash) + "\n";
  return out + "\n" + snapshot.state.checkpoint;
}

AuditLog::Continuation AuditLog::prove_continuation(std::uint64_t old_size) const {
  const auto snapshot = m_impl->snapshot();
  if (old_size > snapshot.size()) no_such_size(old_size, snapshot.size());
  return {consistency_path(old_size, snapshot.size(), snapshot.reader()), snapshot.state.checkpoint};
}

TreeHash AuditLog::root_at(std::uint64_t size) const {
  const auto snapshot = m_impl->snapshot();
  if (size > snapshot.size()) no_such_size(size, snapshot.size());
  return liftlock::root_at(size, snapshot.reader());
}

void logged_effect(AuditLog& log, AuditEvent event, const std::function<void()>& effect) {
  const auto tell = [&](Outcome outcome) {
    event.outcome = outcome;
    log.append(event);
  };
  const auto tell_failure = [&](ErrorCode code) {
    auto detail = parse_json(event.detail);
    detail["error"] = info(code).slug;
    event.detail = dump_json_line(detail);
    tell(Outcome::failure);
  };
  tell(Outcome::intent);
  try {
    effect();
  } catch (Error& error) {
    try {
      tell_failure(error.code());
    } catch (const std::exception& second) {
      error.add_context(fmt::format("and the failure could not be recorded: {}", second.what()));
    }
    throw;
  } catch (...) {
    try {
      tell_failure(ErrorCode::internal);
    } catch (const std::exception&) {
      // What ended the effect is what is told; the intent stands in the log without an end.
    }
    throw;
  }
  tell(Outcome::success);
}

}  // namespace liftlock
