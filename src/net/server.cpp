#include "net/server.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "net/session.hpp"
#include "net/tls.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

using namespace net_detail;
using std::chrono::milliseconds;
using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Stream>;

/// Descriptors kept for everything that is no connection: the store, the catalog, the log.
constexpr std::size_t k_reserved_files = 128;

/// Raises the soft limit of open files as far as it goes. @return how many connections fit
std::size_t connections_that_fit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  const auto files = static_cast<std::size_t>(limit.rlim_cur);
  // A download holds its file open besides its socket.
  return files > 2 * k_reserved_files ? files - files / 8 - k_reserved_files : files / 2;
}

std::string text_of(const Stream::endpoint& peer) {
  if (peer.protocol().family() == AF_UNIX) return std::string(k_local_peer);
  Tcp::endpoint remote;
  remote.resize(peer.size());
  std::memcpy(remote.data(), peer.data(), peer.size());
  const auto address = remote.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

/// Of what came over a Unix socket: it is ours, or root's.
bool is_of_this_user(Stream::socket& socket) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
         (who.uid == 0 || who.uid == ::geteuid());
}

std::shared_ptr<asio::ssl::context> adopt(SslContext context) {
  return std::make_shared<asio::ssl::context>(context.release());
}

/// What a connection past the limit is told; a 5xx answer may go without Date.
const std::string& refusal_when_full() {
  static const std::string k_text = [] {
    const auto response = problem_response(Error(ErrorCode::too_many_connections, ""));
    const auto& body = std::get<std::string>(response.body);
    auto head = fmt::format("HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Length: {}\r\n", response.status,
                            reason_phrase(response.status), body.size());
    for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
    return head + "\r\n" + body;
  }();
  return k_text;
}

}  // namespace

struct HttpServer::Impl {
  Impl(HttpServerOptions options, HttpHandler handler) : acceptor(accept_context), retry(accept_context) {
    shared.options = std::move(options);
    shared.handler = std::move(handler);
    auto& o = shared.options;
    o.max_connections = std::min(o.max_connections, connections_that_fit());
    if (o.threads == 0) o.threads = std::max(2u, usable_cores());
    if (o.tls) tls = adopt(make_server_context(*o.tls));
    if (o.local) {
      acceptor.assign(Stream(AF_UNIX, 0), o.local->release());
    } else {
      listen();
    }
  }

  void listen() {
    const auto& o = shared.options;
    boost::system::error_code error;
    const auto address = asio::ip::make_address(o.address, error);
    if (error) {
      throw Error(ErrorCode::usage, fmt::format("'{}' is no IP address", o.address), "give e.g. 127.0.0.1:8480");
    }
    const Tcp::endpoint endpoint(address, o.port);
    const auto check = [&](const char* what) {
      if (error == asio::error::address_in_use) {
        throw Error(ErrorCode::usage, fmt::format("port {} of {} is in use by another program", o.port, o.address),
                    fmt::format("`ss -ltnp 'sport = :{}'` as root shows which; end it, or choose another port with "
                                "--listen {}:PORT",
                                o.port, o.address));
      }
      if (error == asio::error::access_denied) {
        throw Error(ErrorCode::usage, fmt::format("port {} of {} is not for this user", o.port, o.address),
                    "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one with --listen");
      }
      if (error) fail_errno(fmt::format("{} {} port {}", what, o.address, o.port), error.value());
    };
    acceptor.open(endpoint.protocol(), error);
    check("open a socket for");
    acceptor.set_option(Acceptor::reuse_address(true), error);
    acceptor.bind(endpoint, error);
    check("bind");
    acceptor.listen(4096, error);
    check("listen on");
    Tcp::endpoint bound;
    const auto local = acceptor.local_endpoint();
    bound.resize(local.size());
    std::memcpy(bound.data(), local.data(), local.size());
    port = bound.port();
  }

  void accept_next() {
    auto& worker = *workers[next_worker++ % workers.size()];
    acceptor.async_accept(worker.context,
                          [this, &worker](const boost::system::error_code& error, Stream::socket socket) {
                            if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
                            if (error) {
                              // Out of descriptors, most likely: the pending connection stays in the queue and would be
                              // tried without end.
                              retry.expires_after(milliseconds(100));
                              retry.async_wait([this](const boost::system::error_code& stopped) {
                                if (!stopped) accept_next();
                              });
                              return;
                            }
                            admit(worker, std::move(socket));
                            accept_next();
                          });
  }

  void admit(Worker& worker, Stream::socket socket) {
    boost::system::error_code ignored;
    if (shared.connections >= shared.options.max_connections) {
      socket.non_blocking(true, ignored);
      if (!current_tls()) socket.send(asio::buffer(refusal_when_full()), 0, ignored);
      if (shared.options.observe) {
        HttpExchange refused;
        refused.status = 503;
        shared.options.observe(refused);
      }
      return;
    }
    socket.set_option(Tcp::no_delay(true), ignored);
    const auto remote = socket.remote_endpoint(ignored);
    if (ignored || (shared.options.local && !is_of_this_user(socket))) return;
    ++shared.connections;
    asio::post(worker.context,
               [&worker, moved = std::move(socket), peer = text_of(remote), tls = current_tls()]() mutable {
                 start_session(worker, std::move(moved), std::move(peer), std::move(tls));
               });
  }

  std::shared_ptr<asio::ssl::context> current_tls() {
    const std::lock_guard lock(tls_mutex);
    return tls;
  }

  void start() {
    if (!shared.options.local) ::signal(SIGPIPE, SIG_IGN);  // sendfile(2) has no MSG_NOSIGNAL
    for (unsigned i = 0; i < shared.options.threads; ++i) {
      auto& worker = *workers.emplace_back(std::make_unique<Worker>(shared));
      worker.start_sweeping();
      worker.thread = std::thread([&worker] { worker.context.run(); });
    }
    accept_next();
    accept_thread = std::thread([this] { accept_context.run(); });
  }

  void stop(milliseconds patience) {
    asio::post(accept_context, [this] {
      boost::system::error_code ignored;
      acceptor.close(ignored);
      retry.cancel();
    });
    if (accept_thread.joinable()) accept_thread.join();
    for (auto& worker : workers) asio::post(worker->context, [w = worker.get()] { w->begin_stop(); });
    const auto for_live = std::min(patience, shared.options.live_time_at_stop);
    wait_for_end(for_live);
    for (auto& worker : workers) asio::post(worker->context, [w = worker.get()] { w->cut_live(); });
    wait_for_end(std::max(patience - for_live, milliseconds(1000)));
    for (auto& worker : workers) asio::post(worker->context, [w = worker.get()] { w->close_all(); });
    wait_for_end(milliseconds(1000));
    for (auto& worker : workers) {
      worker->context.stop();
      if (worker->thread.joinable()) worker->thread.join();
    }
    workers.clear();
  }

  void wait_for_end(milliseconds patience) const {
    const auto until = Clock::now() + patience;
    while (shared.connections > 0 && Clock::now() < until) std::this_thread::sleep_for(milliseconds(5));
  }

  Shared shared;
  std::mutex tls_mutex;
  std::shared_ptr<asio::ssl::context> tls;
  std::vector<std::unique_ptr<Worker>> workers;
  asio::io_context accept_context{1};
  Acceptor acceptor;
  asio::steady_timer retry;
  std::thread accept_thread;
  std::size_t next_worker = 0;
  std::uint16_t port = 0;
};

HttpServer::HttpServer(HttpServerOptions options, HttpHandler handler)
    : m_impl(std::make_unique<Impl>(std::move(options), std::move(handler))) {}

HttpServer::~HttpServer() {
  stop(milliseconds(0));
}

void HttpServer::start() {
  m_impl->start();
}
std::uint16_t HttpServer::port() const {
  return m_impl->port;
}
std::size_t HttpServer::connections() const {
  return m_impl->shared.connections;
}
void HttpServer::stop(milliseconds patience) {
  m_impl->stop(patience);
}

std::string HttpServer::url() const {
  const auto& o = m_impl->shared.options;
  const bool v6 = o.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", o.tls ? "https" : "http", v6 ? "[" : "", o.address, v6 ? "]" : "", port());
}

void HttpServer::reload_tls() {
  if (!m_impl->shared.options.tls) return;
  auto fresh = adopt(make_server_context(*m_impl->shared.options.tls));
  const std::lock_guard lock(m_impl->tls_mutex);
  m_impl->tls = std::move(fresh);
}

struct StopSignals::Saved {
  sigset_t mask;
  sigset_t waited;
};

StopSignals::StopSignals() : m_saved(std::make_unique<Saved>()) {
  ::sigemptyset(&m_saved->waited);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&m_saved->waited, number);
  ::pthread_sigmask(SIG_BLOCK, &m_saved->waited, &m_saved->mask);
}

StopSignals::~StopSignals() {
  ::pthread_sigmask(SIG_SETMASK, &m_saved->mask, nullptr);
}

bool StopSignals::wait_at_most(std::chrono::seconds time) {
  sigset_t stops;
  ::sigemptyset(&stops);
  ::sigaddset(&stops, SIGTERM);
  ::sigaddset(&stops, SIGINT);
  const auto until = Clock::now() + time;
  while (true) {
    const auto left = std::max(until - Clock::now(), Clock::duration::zero());
    const auto nanoseconds = std::chrono::ceil<std::chrono::nanoseconds>(left).count();
    const timespec wait{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    if (::sigtimedwait(&stops, nullptr, &wait) > 0) return true;
    if (left == Clock::duration::zero()) return false;
  }
}

bool StopSignals::came() {
  return wait_at_most(std::chrono::seconds(0));
}

int StopSignals::wait(const std::function<void()>& on_hangup) {
  for (;;) {
    int number = 0;
    if (::sigwait(&m_saved->waited, &number) != 0) continue;
    if (number != SIGHUP) return number;
    on_hangup();
  }
}

}  // namespace liftlock
