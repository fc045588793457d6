// The HTTP/1.1 server. One thread accepts; each worker thread has an event loop of its own and owns its connections,
// so that no connection ever needs a lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.hpp"
#include "os/file.hpp"

namespace liftlock {

/// TLS as the server offers it: 1.3, and 1.2 (forward secrecy and AEAD only) where an old client needs it.
struct TlsSettings {
  fs::path certificate;  ///< PEM, the leaf first, then the chain
  fs::path key;          ///< PEM, without a passphrase
  enum class Minimum : std::uint8_t { tls13, tls12 } minimum = Minimum::tls13;
  /// OpenSSL property query, e.g. "fips=yes"; empty: the library's default.
  std::string property_query;
};

/// What is reported after each answer was sent, or its sending failed. Called on a worker's thread: be quick.
struct HttpExchange {
  std::string_view route;        ///< HttpResponse::route; empty when no handler was reached
  int status = 0;                ///< 499: the client left before it got one
  std::uint64_t bytes_sent = 0;  ///< of the body
  bool whole = true;             ///< the kernel took all of the answer
  /// Of the request; empty where its head could not be read. The path is as sent, without the query.
  std::string_view method{}, path{}, peer{}, id{};
  const HttpNote* note = nullptr;
  /// Since the first byte of the request: until the answer began, and until it ended.
  std::chrono::nanoseconds first{}, total{};
};

inline constexpr std::string_view k_local_peer = "local";

struct HttpServerOptions {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6, without brackets
  std::uint16_t port = 0;             ///< 0: the kernel chooses
  std::optional<TlsSettings> tls;
  /// A Unix socket that listens, in place of address, port and tls; the server takes it over. This user's processes and
  /// root's are served, their HttpRequest::peer is k_local_peer; answers are no files.
  std::shared_ptr<UniqueFd> local;
  unsigned threads = 0;  ///< 0: one for each usable core, at least 2

  std::size_t max_header = 16u << 10;  ///< request line and fields together; past it 431
  /// How many bytes of body a request with this method and (decoded) path may have; past it 413. 0: none, 405.
  /// Empty: none for any. Called on the workers' threads.
  std::function<std::uint64_t(std::string_view method, std::string_view path)> max_body;
  /// Does the handler of this (decoded) path read bodies with a Content-Encoding? Others are refused with 415. Empty:
  /// none does. Called on the workers' threads.
  std::function<bool(std::string_view path)> reads_encoded;
  /// Asked before a body of more than 64 KiB is read, of a request without its body: why not, if not. Empty: all are
  /// read. Called on the workers' threads.
  std::function<std::optional<Error>(const HttpRequest& request)> admit;
  std::uint64_t max_bodies = 1u << 30;  ///< bytes of bodies that are being read or handled; past it 503
  /// The answer to a request that reaches no handler, where problem+json is not what clients of this path read;
  /// nothing: problem+json. Called on the workers' threads.
  std::function<std::optional<HttpResponse>(std::string_view path, const Error& error)> refusal;
  std::size_t max_connections = 16384;            ///< past it 503; the limit of open files may lower it
  std::chrono::milliseconds header_time{10'000};  ///< for a whole head and body, and for the TLS handshake
  std::chrono::milliseconds idle_time{75'000};    ///< between two requests of a connection
  std::chrono::milliseconds stall_time{30'000};   ///< without a byte being taken by the client

  /// After stop() began, for answers that are made while clients wait; then they end with the news.
  std::chrono::milliseconds live_time_at_stop{5'000};

  std::function<void(const HttpExchange&)> observe;
};

class HttpServer {
 public:
  /// Binds and listens, so that port() is known; nothing is accepted yet.
  /// @throws Error{usage} for an address that is none, Error{io_error} when it cannot be bound, Error{tls_invalid}
  HttpServer(HttpServerOptions options, HttpHandler handler);
  /// stop() without patience.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Starts the threads and returns.
  void start();
  std::uint16_t port() const;
  /// "http://127.0.0.1:8480", without a trailing slash.
  std::string url() const;
  /// Reads certificate and key again, for new connections. @throws Error{tls_invalid}; the old ones stay in use then
  void reload_tls();
  /// Stops accepting, closes idle connections, lets answers that run finish (see live_time_at_stop), and closes what is
  /// left at the deadline.
  /// Returns when all threads have ended.
  void stop(std::chrono::milliseconds patience);
  std::size_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// SIGTERM, SIGINT and SIGHUP, waited for instead of handled. Construct before any thread is started: the signals are
/// blocked in the constructing thread and in those it starts; the destructor restores the mask, so that a second
/// SIGTERM ends a stop that takes too long.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  /// Returns the number of SIGTERM or SIGINT; calls on_hangup for each SIGHUP before.
  int wait(const std::function<void()>& on_hangup);
  /// Returns when the time is over, or at once with the next SIGTERM or SIGINT: then true.
  bool wait_at_most(std::chrono::seconds time);
  /// Did a SIGTERM or SIGINT come? Does not wait.
  bool came();

 private:
  struct Saved;
  std::unique_ptr<Saved> m_saved;
};

}  // namespace liftlock
