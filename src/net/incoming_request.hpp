// Inside of net: one request after the other of a connection, as their bytes come: what of one is here, and what is
// wrong with it. It waits for nothing and sends nothing; that is the session's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/chunked_body.hpp"
#include "net/http.hpp"
#include "net/request_head.hpp"
#include "net/request_target.hpp"
#include "net/transport.hpp"
#include "net/worker.hpp"

namespace liftlock::net_detail {

/// What one connection takes of Shared::body_bytes: what came, and nothing for what a peer says will come.
class BodyShare {
 public:
  /// @param peer outlives it
  BodyShare(Shared& shared, const std::string& peer) : m_shared(shared), m_peer(peer) {}
  ~BodyShare() { give_back(); }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;

  /// false: there is not so much left; then nothing changed.
  bool grow(std::uint64_t bytes) {
    if (bytes <= m_bytes) return true;
    if (!m_shared.body_bytes.take(m_peer, bytes - m_bytes, m_shared.options.max_bodies)) return false;
    m_bytes = bytes;
    return true;
  }
  void give_back() {
    if (m_bytes > 0) m_shared.body_bytes.give_back(m_peer, std::exchange(m_bytes, 0));
  }

 private:
  Shared& m_shared;
  const std::string& m_peer;
  std::uint64_t m_bytes = 0;
};

/// On the worker's thread. Views of request() and head() hold until the next begin().
class IncomingRequest {
 public:
  /// @param worker outlives it
  IncomingRequest(Worker& worker, std::string peer);
  IncomingRequest(const IncomingRequest&) = delete;
  IncomingRequest& operator=(const IncomingRequest&) = delete;

  // -- bytes of the connection

  /// Where the next ones go, at least one. @param limit bytes that are kept unread at most
  std::span<char> room(std::size_t limit);
  /// So many came to the begin of room().
  void arrived(std::size_t bytes) { m_end += bytes; }
  bool has_unread() const { return m_begin < m_end; }

  // -- the request, in this order

  void begin();
  /// Did a byte of it come? Empty lines in front of it are none (RFC 9112 §2.2).
  bool has_begun();
  /// Takes the head. @return false: it is not here whole
  /// @throws Error when the request is refused, for its head or for the body that this tells of
  bool take_head();
  bool has_body() const { return m_head.is_chunked || is_size_known(); }
  bool is_size_known() const { return m_head.content_length.value_or(0) > 0; }
  /// Takes what is here of the body. @return is it whole? @throws Error when the request is refused
  bool take_body();
  /// Did so much of the body come since this was true last that more time is fair?
  bool keeps_pace();
  /// The handler took what it needs. A connection that idles keeps no large buffer.
  void let_go_of_body();
  /// What is refused is answered as if it had no fields.
  void forget_fields() { m_head.fields.clear(); }

  const RequestHead& head() const { return m_head; }
  const HttpRequest& request() const { return m_request; }
  /// When its first byte came.
  Clock::time_point began() const { return m_began; }

 private:
  std::string_view unread() const { return std::string_view(m_buffer).substr(m_begin, m_end - m_begin); }
  void require_size(std::string_view bytes, std::size_t end) const;
  void take_target();
  /// What a request to this path may have.
  std::uint64_t most_body() const;
  void require_fit_body();

  Worker& m_worker;
  const HttpServerOptions& m_options;
  const std::string m_peer;
  BodyShare m_share;
  std::string m_buffer;
  std::size_t m_begin = 0, m_end = 0;  ///< the unread part of m_buffer
  std::size_t m_searched = 0;          ///< bytes of it that hold no end of a head
  std::string m_head_bytes, m_body, m_id;
  std::size_t m_paced = 0;  ///< bytes of the body when keeps_pace() was true last
  Clock::time_point m_began;
  RequestHead m_head;
  RequestTarget m_target;
  std::optional<ChunkedBody> m_chunks;
  HttpRequest m_request;
};

}  // namespace liftlock::net_detail
