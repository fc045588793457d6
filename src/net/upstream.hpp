// The asynchronous twin of UnixClient: one exchange with a program that listens on a Unix socket (an engine) or on
// another machine, on the thread of the coroutine that runs it. Connections are kept and used again by later exchanges
// of the same thread. The other end is not trusted.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string_view>
#include <variant>

#include "net/address.hpp"
#include "net/unix_client.hpp"

namespace boost::asio::ssl {
class context;
}

namespace liftlock {

namespace asio = boost::asio;

/// What connections over TLS are proved by; made once, shared by them.
using ClientTls = std::shared_ptr<asio::ssl::context>;
/// @throws Error{tls_invalid}
ClientTls make_client_tls(const fs::path& ca_file);

/// A server on another machine.
struct RemoteServer {
  HttpAddress address;
  /// The address that is connected to is in one of these, whatever the name resolved to before.
  std::shared_ptr<const Networks> networks;
  ClientTls tls;  ///< where address.tls says so
};
using Upstream = std::variant<fs::path, RemoteServer>;

class UpstreamExchange {
 public:
  explicit UpstreamExchange(Upstream upstream, UnixClientLimits limits = {});
  /// Keeps the connection when the answer was read to its end, and closes it otherwise: the engine notices.
  ~UpstreamExchange();
  UpstreamExchange(const UpstreamExchange&) = delete;
  UpstreamExchange& operator=(const UpstreamExchange&) = delete;

  /// Sends the request and returns status and headers of the answer. Once. A kept connection that the other end has
  /// closed meanwhile is replaced by a new one.
  /// @param meanwhile called while the other end is at it; maybe more than once
  /// @throws Error as UnixClient does; Error{tls_invalid} when the certificate is not what it must be;
  ///         boost::system::system_error when the coroutine is cancelled
  asio::awaitable<UnixResponse> send(const UnixRequest& request, std::function<void()> meanwhile = {});
  /// Whether bytes of the request may have reached the other end.
  bool was_sent() const;
  /// The next piece of the body, as it comes; valid until the next call. Empty at the end.
  asio::awaitable<std::string_view> read();
  /// The rest of the body.
  asio::awaitable<std::string> read_all();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
