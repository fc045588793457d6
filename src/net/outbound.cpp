#include "net/outbound.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <vector>

#include "base/error.hpp"

namespace liftlock::net_detail {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using TlsStream = asio::ssl::stream<OutboundStream&>;
using Tcp = asio::ip::tcp;

IpAddress address_of(const Tcp::endpoint& endpoint) {
  const auto address = endpoint.address();
  return address.is_v4() ? IpAddress::v4(address.to_v4().to_bytes()) : IpAddress::v6(address.to_v6().to_bytes());
}

/// The certificate must be for this name, or this address.
void expect_host(TlsStream& stream, const std::string& host) {
  auto* ssl = stream.native_handle();
  const bool set = IpAddress::parse(host)
                       ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1
                       : SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (!set) fail(ErrorCode::tls_invalid, "{}: no name that a certificate can be for", host);
}

[[noreturn]] void refuse_connection(const beast::error_code& error, const std::string& what) {
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  fail(ErrorCode::network, "connect to {}: {}", what, error.message());
}

asio::awaitable<Tcp::endpoint> place_to_connect(const asio::any_io_executor& executor, const RemoteServer& remote,
                                                const std::string& what) {
  const auto& to = remote.address;
  std::vector<Tcp::endpoint> found;
  beast::error_code error;
  if (const auto literal = asio::ip::make_address(to.host, error); !error) {
    found.emplace_back(literal, to.port);
  } else {
    Tcp::resolver resolver(executor);
    const auto port = std::to_string(to.port);
    const auto results = co_await resolver.async_resolve(to.host, port, Tcp::resolver::numeric_service,
                                                         asio::redirect_error(asio::use_awaitable, error));
    if (error) refuse_connection(error, what);
    for (const auto& result : results) found.push_back(result.endpoint());
  }
  const auto allowed = std::find_if(
      found.begin(), found.end(), [&](const Tcp::endpoint& one) { return remote.networks->contain(address_of(one)); });
  if (allowed == found.end()) {
    throw Error(ErrorCode::network, fmt::format("{} is in none of the networks that connections may go to", what),
                "networks under [gateway] of config.toml lists them");
  }
  co_return *allowed;
}

}  // namespace

asio::awaitable<void> connect_to(OutboundConnection& connection, const RemoteServer& remote,
                                 std::chrono::steady_clock::duration patience, std::string what) {
  const auto executor = co_await asio::this_coro::executor;
  const auto endpoint = co_await place_to_connect(executor, remote, what);
  beast::error_code error;
  connection.stream.expires_after(patience);
  co_await connection.stream.async_connect(asio::generic::stream_protocol::endpoint(endpoint),
                                           asio::redirect_error(asio::use_awaitable, error));
  if (error) refuse_connection(error, what);
  connection.stream.socket().set_option(Tcp::no_delay(true));
  if (!remote.address.tls) co_return;
  connection.tls.emplace(connection.stream, *remote.tls);
  expect_host(*connection.tls, remote.address.host);
  co_await connection.tls->async_handshake(TlsStream::client, asio::redirect_error(asio::use_awaitable, error));
  if (error.category() == asio::error::get_ssl_category()) {
    throw Error(ErrorCode::tls_invalid, fmt::format("{}: {}", what, error.message()),
                "name in ca_file the CA that issued the other side's certificate, address it by a name that the "
                "certificate has, and look at both clocks: `openssl s_client -connect HOST:PORT -showcerts`");
  }
  if (error) refuse_connection(error, what);
}

void check_exchange(const boost::system::error_code& error, const std::string& what) {
  if (!error) return;
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  if (error == beast::error::timeout) fail(ErrorCode::network, "{}: no answer in time", what);
  if (error == http::error::body_limit || error == http::error::header_limit) {
    fail(ErrorCode::limit_exceeded, "{}: the answer is larger than allowed", what);
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::ssl::error::stream_truncated || error.category() == asio::error::get_system_category() ||
      error.category() == asio::error::get_misc_category()) {
    fail(ErrorCode::network, "{}: the answer ends early", what);
  }
  fail(ErrorCode::http_status, "{}: the answer is malformed: {}", what, error.message());
}

}  // namespace liftlock::net_detail
