// For tests: a server on loopback that says what it is told to, HTTP or not.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace liftlock {

/// Takes so many connections, one after the other, which `talk` has until it returns.
class RawServer {
 public:
  using Talk = std::function<void(int fd)>;

  explicit RawServer(Talk talk, unsigned connections = 1)
      : m_listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(m_listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        ::listen(m_listener.get(), 4) != 0)
      fail_errno("a server for tests");
    m_port = ntohs(address.sin_port);
    m_thread = std::thread([this, talk = std::move(talk), connections] {
      for (unsigned i = 0; i < connections; ++i) {
        const UniqueFd fd(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd.valid()) return;
        talk(fd.get());
      }
    });
  }
  ~RawServer() {
    ::shutdown(m_listener.get(), SHUT_RDWR);
    m_thread.join();
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::uint16_t port() const { return m_port; }

  /// Reads until the request's head is over.
  static std::string read_head(int fd) {
    std::string out;
    char one = 0;
    while (!out.ends_with("\r\n\r\n") && ::recv(fd, &one, 1, 0) == 1) out += one;
    return out;
  }
  /// false when the other end is gone.
  static bool say(int fd, std::string_view text) {
    while (!text.empty()) {
      const auto put = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }
  /// Until the other end closes.
  static void wait_for_end(int fd) {
    char some[4096];
    while (::recv(fd, some, sizeof some, 0) > 0) {
    }
  }

 private:
  UniqueFd m_listener;
  std::uint16_t m_port = 0;
  std::thread m_thread;
};

}  // namespace liftlock
