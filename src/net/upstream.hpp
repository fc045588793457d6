// The asynchronous twin of UnixClient: one exchange with a program that listens on a Unix socket (an engine), on the
// thread of the coroutine that runs it. Connections are kept and used again by later exchanges of the same thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string_view>

#include "net/unix_client.hpp"

namespace liftlock {

namespace asio = boost::asio;

class UpstreamExchange {
 public:
  explicit UpstreamExchange(fs::path socket, UnixClientLimits limits = {});
  /// Keeps the connection when the answer was read to its end, and closes it otherwise: the engine notices.
  ~UpstreamExchange();
  UpstreamExchange(const UpstreamExchange&) = delete;
  UpstreamExchange& operator=(const UpstreamExchange&) = delete;

  /// Sends the request and returns status and headers of the answer. Once. A kept connection that the other end has
  /// closed meanwhile is replaced by a new one.
  /// @throws Error as UnixClient does; boost::system::system_error when the coroutine is cancelled
  asio::awaitable<UnixResponse> send(const UnixRequest& request);
  /// The next piece of the body, as it comes; valid until the next call. Empty at the end.
  asio::awaitable<std::string_view> read();
  /// The rest of the body.
  asio::awaitable<std::string> read_all();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
