#include "server/log_check.hpp"

#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace liftlock {
namespace {

struct Stopped {};

/// An entry holds this much in any case.
constexpr std::size_t k_max_words = 2000;

/// Other codes speak of the machine: of descriptors, memory, a disk.
bool is_damage(const Error& error) {
  return info(error.code()).error_class == ErrorClass::integrity;
}

AuditEvent event_of(const AuditLog& log, std::string_view actor, const std::optional<Error>& damage) {
  auto detail = Json::object();
  if (damage)
    detail = {{"error", info(damage->code()).slug}, {"what", std::string(damage->what()).substr(0, k_max_words)}};
  return {.type = std::string(k_log_check_event),
          .actor = std::string(actor),
          .outcome = damage ? Outcome::failure : Outcome::success,
          .subject = log.name(),
          .detail = dump_json_line(detail)};
}

}  // namespace

bool log_says_damaged(const AuditLog& log) {
  try {
    const auto last = log.find_last(k_log_check_event, log.name());
    return last && last->event.outcome == Outcome::failure;
  } catch (const Error&) {
    return false;  // what is damaged may be in the way
  }
}

std::optional<Error> find_damage(const AuditLog& log, const std::function<void()>& between) {
  try {
    log.verify(between);
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    return error;
  }
  return std::nullopt;
}

// Asked each time: another process may have said so meanwhile.
void log_damage(AuditLog& log, std::string_view actor, const std::optional<Error>& damage) {
  if (log_says_damaged(log) != damage.has_value()) log.append(event_of(log, actor, damage));
}

LogCheck::LogCheck(AuditLog& log, Reporter& reporter, std::string actor, Times times)
    : m_log(log), m_reporter(reporter), m_actor(std::move(actor)), m_times(times), m_thread([this] { run(); }) {}

LogCheck::~LogCheck() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
  }
  m_wake.notify_all();
  m_thread.join();
}

LogCheck::Found LogCheck::found() const {
  const std::lock_guard lock(m_mutex);
  return m_found;
}

void LogCheck::run() {
  ::setpriority(PRIO_PROCESS, 0, 10);  // on Linux that is this thread's
  const bool damaged = log_says_damaged(m_log);
  std::unique_lock lock(m_mutex);
  m_found.damaged = damaged;
  auto pause = m_times.before_first;
  while (!m_wake.wait_for(lock, pause, [this] { return m_stop; })) {
    lock.unlock();
    try {
      pause = check();
    } catch (const Stopped&) {
      return;
    } catch (const std::exception& error) {
      m_reporter.warn(
          fmt::format("the audit log could not be checked as a whole, which says nothing of it yet: {}", error.what()));
      pause = m_times.while_damaged;
    }
    lock.lock();
  }
}

std::chrono::milliseconds LogCheck::check() {
  const auto was_damaged = found().damaged;
  const auto damage = find_damage(m_log, [this] {
    const std::lock_guard lock(m_mutex);
    if (m_stop) throw Stopped();
  });
  {
    const std::lock_guard lock(m_mutex);
    m_found = {.damaged = damage.has_value(), .checked = now()};
  }
  if (damage)
    m_reporter.warn(fmt::format("THE AUDIT LOG IS DAMAGED: {}; docs/guides/audit.md says what to do", damage->what()));
  else if (was_damaged)
    m_reporter.note("the audit log is whole again");
  try {
    log_damage(m_log, m_actor, damage);
  } catch (const Error& error) {
    m_reporter.warn(fmt::format("what the check of the audit log found could not be logged: {}", error.what()));
    return m_times.while_damaged;
  }
  return damage ? m_times.while_damaged : m_times.while_good;
}

}  // namespace liftlock
