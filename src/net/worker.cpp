#include "net/worker.hpp"

#include <algorithm>
#include <chrono>

namespace liftlock::net_detail {
namespace {

/// Clients of live answers that are under way are watched from then on; most answers that are short are there before.
constexpr std::chrono::milliseconds k_look_at_clients{50};

}  // namespace

SessionBase::SessionBase(Worker& worker)
    : m_worker(worker), m_place(worker.sessions.insert(worker.sessions.end(), this)) {}

SessionBase::~SessionBase() {
  m_worker.sessions.erase(m_place);
  --m_worker.shared.connections;
}

std::string Worker::new_request_id() {
  return fmt::format("{:016x}", m_ids());
}

const std::string& Worker::date() {
  const auto second = std::time(nullptr);
  if (second != m_date_second) {
    std::tm parts{};
    ::gmtime_r(&second, &parts);
    char text[40];
    m_date.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    m_date_second = second;
  }
  return m_date;
}

void Worker::start_sweeping() {
  const auto shortest = std::min({shared.options.header_time, shared.options.idle_time, shared.options.stall_time});
  const auto period = std::max(std::min(std::chrono::milliseconds(1000), shortest / 4), std::chrono::milliseconds(10));
  sweep_timer.expires_after(period);
  sweep_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const auto now = Clock::now();
    for (auto* session : sessions) {
      if (!session->deadline.passed(now)) continue;
      if (session->deadline.expired) {
        session->close();
        continue;
      }
      session->deadline.expired = true;
      session->deadline.set(std::chrono::seconds(2));
      session->cancel();
    }
    start_sweeping();
  });
}

void Worker::begin_stop() {
  stopping = true;
  for (auto* session : sessions) {
    if (session->idle) session->close();
  }
}

void Worker::cut_live() {
  cuts_live = true;
  for (auto* session : m_lives) session->stop_live();
}

Worker::LivePlace Worker::begin_live(SessionBase* session) {
  if (!m_looks_at_clients) look_at_clients();
  return m_lives.insert(m_lives.end(), session);
}

void Worker::end_live(LivePlace place) {
  m_lives.erase(place);
}

void Worker::look_at_clients() {
  m_looks_at_clients = true;
  m_client_timer.expires_after(k_look_at_clients);
  m_client_timer.async_wait([this](const boost::system::error_code& error) {
    m_looks_at_clients = false;
    if (error || m_lives.empty()) return;
    for (auto* session : m_lives) session->watch_client();
    look_at_clients();
  });
}

void Worker::close_all() {
  for (auto* session : sessions) {
    session->deadline.expired = true;
    session->close();
  }
}

}  // namespace liftlock::net_detail
