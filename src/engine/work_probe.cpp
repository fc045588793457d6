#include "engine/work_probe.hpp"

#include <poll.h>
#include <sys/socket.h>

#include "base/error.hpp"
#include "net/unix_client.hpp"

namespace liftlock::engine {

void WorkProbe::rest(Time now) {
  m_asked.reset();
  m_answered = now;
  m_next = now + m_every;
}

void WorkProbe::look(Time now) {
  if (!m_asked.valid()) {
    if (now < m_next) return;
    m_next = now + m_every;
    return ask();
  }
  pollfd answer{m_asked.get(), POLLIN, 0};
  if (::poll(&answer, 1, 0) <= 0) return;
  char byte = 0;
  if (::recv(m_asked.get(), &byte, 1, MSG_DONTWAIT) == 1) m_answered = now;
  m_asked.reset();
  m_next = now + m_every;
}

void WorkProbe::ask() {
  try {
    auto connection = connect_unix(m_socket);
    const auto head = request_head({.method = "GET", .target = "/slots", .headers = {}, .body = {}}, Keep::close);
    if (::send(connection.get(), head.data(), head.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(head.size()))
      m_asked = std::move(connection);
  } catch (const Error&) {
    // Nobody listens, or too many wait: that is no answer.
  }
}

}  // namespace liftlock::engine
