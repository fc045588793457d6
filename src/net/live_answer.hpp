// Answers that are made while the client waits, by a coroutine on the thread of the client's connection.
//
// In coroutines name what you hand to a co_await: GCC 12 destroys unnamed aggregates among its arguments twice.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string_view>

#include "net/http.hpp"

namespace liftlock {

namespace asio = boost::asio;

/// Takes one answer: respond(), or begin() and then write() as often as there is something.
/// @throws boost::system::system_error from any of them when the client is gone
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual asio::awaitable<void> respond(HttpResponse response) = 0;
  /// Status and headers; the body follows piece by piece, chunked (RFC 9112 §7.1) where the client knows that.
  virtual asio::awaitable<void> begin(HttpResponse head) = 0;
  /// Returns when the kernel took the piece: a client that does not read slows its own answer down.
  virtual asio::awaitable<void> write(std::string_view piece) = 0;
  /// Why run() was cancelled: the client is there, and the server stops. A last word reaches the client then, after the
  /// coroutine's cancellation state was reset.
  virtual bool server_stops() const = 0;
};

/// What HttpResponse::live points to. The request is gone when run() starts: keep copies of what is needed.
class LiveAnswer {
 public:
  virtual ~LiveAnswer() = default;
  /// Runs on the worker's thread and must not block it. When the client goes away whatever run() waits for ends with
  /// an exception (operation_aborted): let it pass, destructors clean up. Any other exception before begin() becomes a
  /// problem document, after it the connection breaks, so that nobody takes the part for the whole.
  virtual asio::awaitable<void> run(AnswerSink& sink) = 0;
};

}  // namespace liftlock
