#include "net/incoming_request.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::net_detail {
namespace {

/// A body up to here is read whoever sends it, and its buffer is kept.
constexpr std::uint64_t k_small_body = 64u << 10;
/// A larger one has as long as a head for each such piece of it.
constexpr std::size_t k_pace = 256u << 10;

/// Of a client's X-Request-Id.
bool is_fit_for_log(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

Error too_many_bodies() {
  return {ErrorCode::overloaded, "too many large requests are on their way", "ask again in a moment"};
}

}  // namespace

IncomingRequest::IncomingRequest(Worker& worker, std::string peer)
    : m_worker(worker), m_options(worker.shared.options), m_peer(std::move(peer)), m_share(worker.shared, m_peer) {}

std::span<char> IncomingRequest::room(std::size_t limit) {
  if (m_begin > 0) {
    m_buffer.erase(0, m_begin);
    m_end -= m_begin;
    m_begin = 0;
  }
  if (m_buffer.size() - m_end < 1024) m_buffer.resize(std::min(limit, std::max<std::size_t>(4096, m_end * 2 + 1024)));
  return std::span(m_buffer).subspan(m_end);
}

void IncomingRequest::begin() {
  m_request = {};
  m_request.peer = m_peer;
  m_request.header = [this](std::string_view name) { return m_head.field(name); };
  m_id.clear();
  m_began = Clock::now();
  m_searched = 0;
}

bool IncomingRequest::has_begun() {
  while (m_begin < m_end && (m_buffer[m_begin] == '\r' || m_buffer[m_begin] == '\n')) ++m_begin;
  if (m_begin == m_end) return false;
  m_began = Clock::now();
  return true;
}

bool IncomingRequest::take_head() {
  const auto bytes = unread();
  const auto end = bytes.find("\r\n\r\n", m_searched > 3 ? m_searched - 3 : 0);
  require_size(bytes, end);
  m_searched = bytes.size();
  if (end == std::string_view::npos) return false;
  // The head is kept in a buffer of its own: reading a body would move the bytes that its views refer to.
  m_head_bytes.assign(m_buffer, m_begin, end + 4);
  m_begin += end + 4;
  m_body.clear();
  m_paced = 0;
  m_chunks.reset();
  parse_request_head(m_head_bytes, m_head);
  take_target();
  if (has_body()) require_fit_body();
  if (m_head.is_chunked) m_chunks.emplace(most_body());
  return true;
}

void IncomingRequest::require_size(std::string_view bytes, std::size_t end) const {
  if (!bytes.empty() && (bytes[0] < 'A' || bytes[0] > 'z')) {
    throw Error(ErrorCode::bad_request, "this is not HTTP", "speak HTTP/1.1; https only where the server has TLS");
  }
  const bool line_ended = bytes.substr(0, k_max_target + 32).find("\r\n") != std::string_view::npos;
  if (!line_ended && bytes.size() > k_max_target + 32) {
    fail(ErrorCode::target_too_long, "the request line is longer than {} bytes", k_max_target);
  }
  const auto size = end == std::string_view::npos ? bytes.size() : end + 4;
  if (size > m_options.max_header) {
    fail(ErrorCode::headers_too_large, "the head of the request is larger than {} bytes", m_options.max_header);
  }
}

void IncomingRequest::take_target() {
  auto target = parse_request_target(m_head.target);
  if (!target && m_head.target.size() > k_max_target) {
    fail(ErrorCode::target_too_long, "the target is longer than {} bytes", k_max_target);
  }
  if (!target) fail(ErrorCode::bad_request, "the path of the request is malformed or leaves the root");
  m_target = std::move(*target);
  m_request.method = m_head.method;
  m_request.path = m_target.path;
  m_request.raw_path = m_target.raw_path;
  m_request.query = m_target.query;
  const auto given = m_head.field("X-Request-Id");
  m_id = is_fit_for_log(given) ? std::string(given) : m_worker.new_request_id();
  m_request.id = m_id;
}

std::uint64_t IncomingRequest::most_body() const {
  return m_options.max_body ? m_options.max_body(m_request.method, m_request.path) : 0;
}

void IncomingRequest::require_fit_body() {
  const auto wanted = m_head.content_length.value_or(0);
  const bool reads = m_head.method == "GET" || m_head.method == "HEAD";
  const auto most = most_body();
  if (most == 0 && !reads) {
    fail(ErrorCode::method_not_allowed, "{} is not for this server", m_head.method.substr(0, 20));
  }
  const auto encoding = m_head.field("Content-Encoding");
  const bool as_is = encoding.empty() || encoding == "identity";
  if (!as_is && !(m_options.reads_encoded && m_options.reads_encoded(m_request.path))) {
    fail(ErrorCode::encoding_unsupported, "the body of the request is encoded as '{}'",
         printable(encoding.substr(0, 40)));
  }
  if (wanted > most || (m_head.is_chunked && most == 0)) {
    fail(ErrorCode::body_too_large, "the body of the request is larger than {} bytes", most);
  }
  if (m_options.admit && std::max(wanted, m_head.is_chunked ? k_small_body + 1 : 0) > k_small_body) {
    if (const auto refused = m_options.admit(m_request)) throw *refused;
  }
}

bool IncomingRequest::take_body() {
  if (m_chunks) {
    m_begin += m_chunks->feed(unread(), m_body);
  } else {
    const auto part = std::min<std::size_t>(*m_head.content_length - m_body.size(), m_end - m_begin);
    m_body.append(m_buffer, m_begin, part);
    m_begin += part;
  }
  if (!m_share.grow(m_body.size())) throw too_many_bodies();
  const bool is_whole = m_chunks ? m_chunks->is_done() : m_body.size() == *m_head.content_length;
  if (is_whole) m_request.body = m_body;
  return is_whole;
}

bool IncomingRequest::keeps_pace() {
  if (m_body.size() < m_paced + k_pace) return false;
  m_paced = m_body.size();
  return true;
}

void IncomingRequest::let_go_of_body() {
  m_request.body = {};
  if (m_body.capacity() > k_small_body) std::string().swap(m_body);
  m_share.give_back();
}

}  // namespace liftlock::net_detail
