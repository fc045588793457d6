#include "offline/http_counter.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace liftlock::offline {
namespace {

constexpr std::size_t k_max_head = 64u << 10;
constexpr std::size_t k_max_line = 4096;
constexpr std::size_t k_max_asked = 1024;

std::string_view first_line(std::string_view head) {
  return head.substr(0, head.find('\n'));
}

std::string_view fields_of(std::string_view head) {
  const auto end = head.find('\n');
  return end == std::string_view::npos ? std::string_view() : head.substr(end + 1);
}

}  // namespace

MessageStream::Body MessageStream::body_of(std::string_view fields, Body::Kind without_length) {
  Body body{.kind = without_length, .length = 0};
  for (const auto line : split(fields, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = to_lower(trim(line.substr(0, colon)));
    const auto value = trim(line.substr(colon + 1));
    if (name == "transfer-encoding") {
      return {.kind = to_lower(value) == "chunked" ? Body::Kind::chunked : Body::Kind::unknown, .length = 0};
    }
    if (name != "content-length") continue;
    const auto length = parse_uint(value);
    if (!length) return {.kind = Body::Kind::unknown, .length = 0};
    body = {.kind = *length == 0 ? Body::Kind::none : Body::Kind::length, .length = *length};
  }
  return body;
}

void MessageStream::begin(Body body) {
  using Kind = Body::Kind;
  m_left = body.length;
  switch (body.kind) {
    case Kind::none:
      m_state = State::head;
      return;
    case Kind::length:
      m_state = State::length;
      return;
    case Kind::chunked:
      m_state = State::chunk_size;
      return;
    case Kind::until_close:
      m_state = State::until_close;
      return;
    case Kind::unknown:
      m_state = State::lost;
      return;
  }
}

/// Moves a line into m_text; false when it is not whole yet, or too long.
bool MessageStream::take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  m_text.append(bytes.substr(0, end));
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  if (m_text.size() > k_max_line) m_state = State::lost;
  return end != std::string_view::npos && m_state != State::lost;
}

void MessageStream::feed(std::string_view bytes, const OnHead& on_head) {
  while (!bytes.empty()) {
    switch (m_state) {
      case State::lost:
      case State::until_close:
        return;
      case State::head: {
        // The end may lie across two pieces, so that the search begins a little before this one.
        const auto before = m_text.size();
        m_text.append(bytes);
        const auto from = before < 3 ? 0 : before - 3;
        const auto end = m_text.find("\r\n\r\n", from);
        if (end == std::string::npos) {
          if (m_text.size() > k_max_head) m_state = State::lost;
          return;
        }
        bytes.remove_prefix(end + 4 - before);
        auto head = std::move(m_text);
        m_text.clear();
        head.resize(end);
        std::erase(head, '\r');
        begin(on_head(head));
        break;
      }
      case State::length:
      case State::chunk: {
        const auto passed = std::min<std::uint64_t>(m_left, bytes.size());
        bytes.remove_prefix(static_cast<std::size_t>(passed));
        m_left -= passed;
        if (m_left == 0) m_state = m_state == State::length ? State::head : State::chunk_end;
        break;
      }
      case State::chunk_end:
        if (!take_line(bytes)) return;
        m_text.clear();
        m_state = State::chunk_size;
        break;
      case State::chunk_size: {
        if (!take_line(bytes)) return;
        const auto digits = trim(std::string_view(m_text).substr(0, m_text.find(';')));
        std::uint64_t size = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
        if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
          m_state = State::lost;
          return;
        }
        m_text.clear();
        m_left = size;
        m_state = size == 0 ? State::trailer : State::chunk;
        break;
      }
      case State::trailer: {
        if (!take_line(bytes)) return;
        const bool last = trim(m_text).empty();
        m_text.clear();
        if (last) m_state = State::head;
        break;
      }
    }
  }
}

void HttpCounter::client_sent(std::string_view bytes) {
  if (!understood()) return;
  m_client.feed(bytes, [this](std::string_view head) {
    const auto words = split(first_line(head), ' ');
    if (words.size() != 3 || m_asked.size() >= k_max_asked)
      return MessageStream::Body{MessageStream::Body::Kind::unknown};
    m_asked.push_back({std::string(words[0]), std::string(words[1])});
    return MessageStream::body_of(fields_of(head), MessageStream::Body::Kind::none);
  });
}

void HttpCounter::server_sent(std::string_view bytes) {
  if (!understood()) return;
  m_server.feed(bytes, [this](std::string_view head) {
    using Kind = MessageStream::Body::Kind;
    const auto line = first_line(head);
    const auto status = line.size() >= 12 && line.starts_with("HTTP/1.") ? parse_uint(line.substr(9, 3)) : std::nullopt;
    if (!status || m_asked.empty()) return MessageStream::Body{Kind::unknown};
    if (*status == 101) return MessageStream::Body{Kind::unknown};
    if (*status < 200) return MessageStream::Body{Kind::none};
    const auto asked = std::move(m_asked.front());
    m_asked.pop_front();
    m_on_answer(asked.target, static_cast<int>(*status));
    if (asked.method == "HEAD" || *status == 204 || *status == 304) return MessageStream::Body{Kind::none};
    return MessageStream::body_of(fields_of(head), Kind::until_close);
  });
}

}  // namespace liftlock::offline
