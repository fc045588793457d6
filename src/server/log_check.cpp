#include "server/log_check.hpp"

#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"

namespace liftlock {
namespace {

struct Stopped {};

/// An entry holds this much in any case.
constexpr std::size_t k_max_words = 2000;

}  // namespace

bool is_damage(const Error& error) {
  return error.code() != ErrorCode::disk_full && error.code() != ErrorCode::audit_unwritable;
}

AuditEvent log_check_event(const AuditLog& log, std::string_view actor, const Error* damage) {
  auto detail = Json::object();
  if (damage != nullptr)
    detail = {{"error", info(damage->code()).slug}, {"what", std::string(damage->what()).substr(0, k_max_words)}};
  return {.type = std::string(k_log_check_event),
          .actor = std::string(actor),
          .outcome = damage != nullptr ? Outcome::failure : Outcome::success,
          .subject = log.name(),
          .detail = dump_json_line(detail)};
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
  while (true) {
    try {
      check();
    } catch (const Stopped&) {
      return;
    } catch (const std::exception& error) {
      // A full disk, or no memory: nothing about the log.
      m_reporter.warn(fmt::format("the audit log could not be checked as a whole: {}", error.what()));
    }
    std::unique_lock lock(m_mutex);
    const auto pause = m_found.damaged ? m_times.while_damaged : m_times.while_good;
    if (m_wake.wait_for(lock, pause, [this] { return m_stop; })) return;
  }
}

bool LogCheck::log_says_damaged() const {
  try {
    const auto last = m_log.find_last(k_log_check_event, m_log.name());
    return last && last->event.outcome == Outcome::failure;
  } catch (const Error&) {
    return false;  // what is damaged may be in the way
  }
}

void LogCheck::check() {
  std::optional<Error> damage;
  try {
    m_log.verify([this] {
      const std::lock_guard lock(m_mutex);
      if (m_stop) throw Stopped();
    });
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    damage = error;
  }
  {
    const std::lock_guard lock(m_mutex);
    m_found = {.damaged = damage.has_value(), .checked = now()};
  }
  if (damage)
    m_reporter.warn(fmt::format("THE AUDIT LOG IS DAMAGED: {}; docs/guides/audit.md says what to do", damage->what()));
  if (!m_told) m_told = log_says_damaged();
  if (*m_told == damage.has_value()) return;
  m_log.append(log_check_event(m_log, m_actor, damage ? &*damage : nullptr));
  m_told = damage.has_value();
  if (!damage) m_reporter.note("the audit log is whole again");
}

}  // namespace liftlock
