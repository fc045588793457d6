// Inside of net: the two ways bytes travel, with one shape. Everything runs on the thread of the connection's worker.
// Only the inside of the server includes this header: it brings Boost.Asio in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace liftlock::net_detail {

namespace asio = boost::asio;
/// TCP, or a Unix socket of this machine.
using Stream = asio::generic::stream_protocol;
using Clock = std::chrono::steady_clock;

/// When a connection has to be given up unless something happens; moved on by its progress, watched by its worker.
class Deadline {
 public:
  void set(Clock::duration from_now) { m_at = Clock::now() + from_now; }
  /// Gives every later progress() this much more time.
  void set_stall(Clock::duration stall) {
    m_stall = stall;
    progress();
  }
  void progress() { set(m_stall); }
  bool passed(Clock::time_point now) const { return now >= m_at; }
  bool expired = false;  ///< set by the worker; operations end as soon as they see it

 private:
  Clock::time_point m_at = Clock::now();
  Clock::duration m_stall{};
};

class PlainTransport {
 public:
  PlainTransport(Stream::socket socket, Deadline& deadline);
  Stream::socket& socket() { return m_socket; }

  asio::awaitable<bool> handshake();
  /// 0 at the end of the stream, and for every error.
  asio::awaitable<std::size_t> read_some(char* into, std::size_t size);
  /// All of head and body; false when the peer is gone or the deadline passed.
  asio::awaitable<bool> write(std::string_view head, std::string_view body);
  /// head, then size bytes of the file by sendfile(2).
  asio::awaitable<bool> write_file(std::string_view head, int file, std::uint64_t offset, std::uint64_t size);
  /// Tells the peer that nothing follows.
  asio::awaitable<void> finish();

 private:
  asio::awaitable<bool> wait_writable();
  asio::awaitable<bool> send(std::string_view head, std::string_view body, int flags);

  Stream::socket m_socket;
  Deadline& m_deadline;
};

class TlsTransport {
 public:
  TlsTransport(Stream::socket socket, asio::ssl::context& context, Deadline& deadline);
  Stream::socket& socket() { return m_stream.next_layer(); }

  asio::awaitable<bool> handshake();
  asio::awaitable<std::size_t> read_some(char* into, std::size_t size);
  asio::awaitable<bool> write(std::string_view head, std::string_view body);
  /// By a buffer of k_tls_buffer bytes that lives as long as the call.
  asio::awaitable<bool> write_file(std::string_view head, int file, std::uint64_t offset, std::uint64_t size);
  asio::awaitable<void> finish();

 private:
  asio::awaitable<bool> write_all(const char* data, std::size_t size);

  asio::ssl::stream<Stream::socket> m_stream;
  Deadline& m_deadline;
};

}  // namespace liftlock::net_detail
