// Counts the answers of an HTTP/1.1 connection that others hold, by looking at its bytes as they pass. It never changes
// what passes, and gives up where it does not understand: counts may then be too small, never too large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace liftlock::offline {

/// One direction of a connection: heads of messages, and bodies that are skipped (RFC 9112 §6).
class MessageStream {
 public:
  struct Body {
    enum class Kind : std::uint8_t { none, length, chunked, until_close, unknown } kind = Kind::none;
    std::uint64_t length = 0;
  };
  /// Told of each whole head, without the empty line; says what follows it.
  using OnHead = std::function<Body(std::string_view head)>;

  /// The next bytes of the connection, cut anywhere.
  void feed(std::string_view bytes, const OnHead& on_head);
  /// false from the first byte on that is not HTTP/1.1: what follows is not looked at.
  bool understood() const { return m_state != State::lost; }

  /// What the fields say of the body; `fields` are the lines after the first.
  static Body body_of(std::string_view fields, Body::Kind without_length);

 private:
  enum class State : std::uint8_t { head, length, chunk_size, chunk, chunk_end, trailer, until_close, lost };
  bool take_line(std::string_view& bytes);
  void begin(Body body);

  State m_state = State::head;
  std::string m_text;  ///< of a head or line that is not whole yet
  std::uint64_t m_left = 0;
};

/// Both directions of one connection. Not for several threads at once.
class HttpCounter {
 public:
  /// Told of each final answer: the request's target and the status.
  using OnAnswer = std::function<void(std::string_view target, int status)>;
  explicit HttpCounter(OnAnswer on_answer) : m_on_answer(std::move(on_answer)) {}

  /// The next bytes of each direction, in the order in which they passed.
  void client_sent(std::string_view bytes);
  void server_sent(std::string_view bytes);
  bool understood() const { return m_client.understood() && m_server.understood(); }

 private:
  struct Asked {
    std::string method, target;
  };
  OnAnswer m_on_answer;
  MessageStream m_client, m_server;
  std::deque<Asked> m_asked;
};

}  // namespace liftlock::offline
