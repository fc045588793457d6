#include "net/outbound.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace liftlock::net_detail {

/// Of one thread's context.
class Waits final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit Waits(asio::execution_context& context) : service(context) {}

  std::list<OutboundWait*>::iterator add(OutboundWait& wait, const asio::any_io_executor& executor) {
    if (!m_timer) m_timer.emplace(executor);
    if (!m_looks) look();
    return m_waits.insert(m_waits.end(), &wait);
  }
  void remove(std::list<OutboundWait*>::iterator place) {
    m_waits.erase(place);
    // A context that has nothing else to do ends now, and not when the timer does.
    if (m_waits.empty() && m_timer) m_timer->cancel();
  }

 private:
  static constexpr std::chrono::milliseconds k_every{20};

  void shutdown() override { m_timer.reset(); }
  void look() {
    m_looks = true;
    m_timer->expires_after(k_every);
    // Cancelled or not: until this was called no other one is started, and somebody may wait again by now. A context
    // that is destroyed, and this with it, never calls it.
    m_timer->async_wait([this](const boost::system::error_code&) {
      m_looks = false;
      if (m_waits.empty()) return;
      const auto when = std::chrono::steady_clock::now();
      for (auto* wait : m_waits) {
        if (when < wait->m_until || wait->m_connection == nullptr) continue;
        wait->m_timed_out = true;
        wait->m_connection->cancel();
      }
      look();
    });
  }

  std::list<OutboundWait*> m_waits;
  std::optional<asio::steady_timer> m_timer;
  bool m_looks = false;
};

OutboundWait::OutboundWait(const asio::any_io_executor& executor)
    : m_waits(&asio::use_service<Waits>(asio::query(executor, asio::execution::context))),
      m_place(m_waits->add(*this, executor)) {}

OutboundWait::~OutboundWait() {
  m_waits->remove(m_place);
}

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using TlsStream = asio::ssl::stream<OutboundSocket&>;
using Clock = std::chrono::steady_clock;
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

[[noreturn]] void refuse_connection(const beast::error_code& error, const OutboundWait& wait, const std::string& what) {
  if (error == asio::error::operation_aborted && !wait.timed_out()) throw boost::system::system_error(error);
  fail(ErrorCode::network, "connect to {}: {}", what, wait.timed_out() ? "no answer in time" : error.message());
}

/// What a name leads to, looked up by a thread of its own: getaddrinfo(3) cannot be ended, and asio's resolver lets
/// nobody go before it is done. The thread touches nothing but this.
struct Lookup {
  std::string name, port;
  std::vector<Tcp::endpoint> found;
  int error = 0;

  void run() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    error = ::getaddrinfo(name.c_str(), port.c_str(), &hints, &list);
    if (error != 0) return;
    for (const auto* one = list; one != nullptr; one = one->ai_next) {
      if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
      Tcp::endpoint endpoint;
      endpoint.resize(one->ai_addrlen);
      std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
      found.push_back(endpoint);
    }
    ::freeaddrinfo(list);
  }
};

asio::awaitable<std::vector<Tcp::endpoint>> look_up(OutboundConnection& connection, const HttpAddress& to,
                                                    const OutboundWait& wait, const std::string& what) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  connection.lookup.assign(ends[0]);
  UniqueFd done(ends[1]);
  const auto lookup = std::make_shared<Lookup>();
  lookup->name = to.host;
  lookup->port = std::to_string(to.port);
  std::thread([lookup, done = std::move(done)] { lookup->run(); }).detach();
  char none = 0;
  beast::error_code error;
  // Nothing is written: the thread's end of the pipe is closed behind it.
  co_await connection.lookup.async_read_some(asio::buffer(&none, 1), asio::redirect_error(asio::use_awaitable, error));
  beast::error_code ignored;
  connection.lookup.close(ignored);
  if (error != asio::error::eof) refuse_connection(error, wait, what);
  if (lookup->error != 0) fail(ErrorCode::network, "connect to {}: {}", what, ::gai_strerror(lookup->error));
  co_return std::move(lookup->found);
}

asio::awaitable<Tcp::endpoint> place_to_connect(OutboundConnection& connection, const RemoteServer& remote,
                                                const OutboundWait& wait, const std::string& what) {
  const auto& to = remote.address;
  std::vector<Tcp::endpoint> found;
  beast::error_code error;
  if (const auto literal = asio::ip::make_address(to.host, error); !error) {
    found.emplace_back(literal, to.port);
  } else {
    found = co_await look_up(connection, to, wait, what);
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

asio::awaitable<void> connect_to(OutboundConnection& connection, const RemoteServer& remote, const OutboundWait& wait,
                                 std::string what) {
  const auto endpoint = co_await place_to_connect(connection, remote, wait, what);
  beast::error_code error;
  co_await connection.socket.async_connect(asio::generic::stream_protocol::endpoint(endpoint),
                                           asio::redirect_error(asio::use_awaitable, error));
  if (error) refuse_connection(error, wait, what);
  connection.socket.set_option(Tcp::no_delay(true));
  if (!remote.address.tls) co_return;
  connection.tls.emplace(connection.socket, *remote.tls);
  expect_host(*connection.tls, remote.address.host);
  co_await connection.tls->async_handshake(TlsStream::client, asio::redirect_error(asio::use_awaitable, error));
  if (error.category() == asio::error::get_ssl_category()) {
    throw Error(ErrorCode::tls_invalid, fmt::format("{}: {}", what, error.message()),
                "name in ca_file the CA that issued the other side's certificate, address it by a name that the "
                "certificate has, and look at both clocks: `openssl s_client -connect HOST:PORT -showcerts`");
  }
  if (error) refuse_connection(error, wait, what);
}

void check_exchange(const boost::system::error_code& error, const OutboundWait& wait, const std::string& what) {
  if (!error) return;
  if (error == asio::error::operation_aborted && wait.timed_out())
    fail(ErrorCode::network, "{}: no answer in time", what);
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  if (error == http::error::body_limit || error == http::error::header_limit || error == http::error::buffer_overflow) {
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
