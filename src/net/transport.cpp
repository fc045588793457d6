#include "net/transport.hpp"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

namespace liftlock::net_detail {
namespace {

/// After this much without a wait other connections of the thread get their turn.
constexpr std::uint64_t k_turn = 2u << 20;
constexpr std::size_t k_tls_buffer = 128u << 10;

using Code = boost::system::error_code;

asio::awaitable<void> yield_turn() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

}  // namespace

PlainTransport::PlainTransport(Stream::socket socket, Deadline& deadline)
    : m_socket(std::move(socket)), m_deadline(deadline) {
  Code ignored;
  m_socket.native_non_blocking(true, ignored);
}

asio::awaitable<bool> PlainTransport::handshake() {
  co_return true;
}

asio::awaitable<std::size_t> PlainTransport::read_some(char* into, std::size_t size) {
  Code error;
  const auto got =
      co_await m_socket.async_read_some(asio::buffer(into, size), asio::redirect_error(asio::use_awaitable, error));
  co_return error ? 0 : got;
}

asio::awaitable<bool> PlainTransport::wait_writable() {
  Code error;
  co_await m_socket.async_wait(Stream::socket::wait_write, asio::redirect_error(asio::use_awaitable, error));
  co_return !error && !m_deadline.expired;
}

asio::awaitable<bool> PlainTransport::send(std::string_view head, std::string_view body, int flags) {
  iovec pieces[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
  iovec* parts = pieces;
  std::size_t count = body.empty() ? 1 : 2;
  while (count > 0) {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const auto sent = ::sendmsg(m_socket.native_handle(), &message, flags | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return false;
      const bool writable = co_await wait_writable();
      if (!writable) co_return false;
      continue;
    }
    m_deadline.progress();
    auto left = static_cast<std::size_t>(sent);
    while (count > 0 && left >= parts->iov_len) {
      left -= parts->iov_len;
      ++parts;
      --count;
    }
    if (count > 0) {
      parts->iov_base = static_cast<char*>(parts->iov_base) + left;
      parts->iov_len -= left;
    }
  }
  co_return true;
}

asio::awaitable<bool> PlainTransport::write(std::string_view head, std::string_view body) {
  return send(head, body, 0);
}

asio::awaitable<bool> PlainTransport::write_file(std::string_view head, int file, std::uint64_t offset,
                                                 std::uint64_t size) {
  const bool head_sent = co_await send(head, {}, MSG_MORE);
  if (!head_sent) co_return false;
  auto at = static_cast<off_t>(offset);
  std::uint64_t turn = 0;
  while (size > 0) {
    const auto sent = ::sendfile(m_socket.native_handle(), file, &at, std::min(size, k_turn));
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return false;
      turn = 0;
      const bool writable = co_await wait_writable();
      if (!writable) co_return false;
      continue;
    }
    if (sent == 0) co_return false;  // the file is shorter than it was said to be
    m_deadline.progress();
    size -= static_cast<std::uint64_t>(sent);
    turn += static_cast<std::uint64_t>(sent);
    if (turn >= k_turn && size > 0) {
      turn = 0;
      co_await yield_turn();
      if (m_deadline.expired) co_return false;
    }
  }
  co_return true;
}

asio::awaitable<void> PlainTransport::finish() {
  Code ignored;
  m_socket.shutdown(Stream::socket::shutdown_send, ignored);
  co_return;
}

TlsTransport::TlsTransport(Stream::socket socket, asio::ssl::context& context, Deadline& deadline)
    : m_stream(std::move(socket), context), m_deadline(deadline) {}

asio::awaitable<bool> TlsTransport::handshake() {
  Code error;
  co_await m_stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<std::size_t> TlsTransport::read_some(char* into, std::size_t size) {
  Code error;
  const auto got =
      co_await m_stream.async_read_some(asio::buffer(into, size), asio::redirect_error(asio::use_awaitable, error));
  co_return error ? 0 : got;
}

asio::awaitable<bool> TlsTransport::write_all(const char* data, std::size_t size) {
  while (size > 0) {
    Code error;
    const auto sent =
        co_await m_stream.async_write_some(asio::buffer(data, size), asio::redirect_error(asio::use_awaitable, error));
    if (error || m_deadline.expired) co_return false;
    m_deadline.progress();
    data += sent;
    size -= sent;
  }
  co_return true;
}

asio::awaitable<bool> TlsTransport::write(std::string_view head, std::string_view body) {
  // A record for the head alone would cost a packet; what fits with it into one record goes along.
  std::string first(head);
  const auto along = std::min<std::size_t>(body.size(), (16u << 10) - std::min<std::size_t>(head.size(), 16u << 10));
  first.append(body.substr(0, along));
  const bool sent = co_await write_all(first.data(), first.size());
  if (!sent) co_return false;
  co_return co_await write_all(body.data() + along, body.size() - along);
}

asio::awaitable<bool> TlsTransport::write_file(std::string_view head, int file, std::uint64_t offset,
                                               std::uint64_t size) {
  std::vector<char> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(k_tls_buffer, head.size() + size)));
  std::size_t filled = std::min(head.size(), buffer.size());
  if (filled < head.size()) {
    const bool sent = co_await write_all(head.data(), head.size());
    if (!sent) co_return false;
    filled = 0;
  } else {
    std::memcpy(buffer.data(), head.data(), filled);
  }
  while (size > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size() - filled));
    const auto got = ::pread(file, buffer.data() + filled, wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) co_return false;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
    const bool sent = co_await write_all(buffer.data(), filled + static_cast<std::size_t>(got));
    if (!sent) co_return false;
    filled = 0;
  }
  co_return true;
}

asio::awaitable<void> TlsTransport::finish() {
  m_deadline.set(std::chrono::seconds(1));
  Code ignored;
  co_await m_stream.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace liftlock::net_detail
