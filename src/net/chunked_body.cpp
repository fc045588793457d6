#include "net/chunked_body.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_line = 512;
constexpr std::size_t k_max_trailer = 8192;

}  // namespace

/// Moves bytes into m_line until it holds a line, without its end.
bool ChunkedBody::take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  m_line += bytes.substr(0, end);
  if (m_line.size() > k_max_line) fail(ErrorCode::bad_request, "a line between chunks is too long");
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  if (end == std::string_view::npos) return false;
  if (!m_line.ends_with('\r')) fail(ErrorCode::bad_request, "a line between chunks does not end in CR LF");
  m_line.pop_back();
  return true;
}

void ChunkedBody::take_size() {
  const auto digits = std::string_view(m_line).substr(0, m_line.find_first_of("; \t"));
  const auto rest = std::string_view(m_line).substr(digits.size());
  const bool is_extended = rest.empty() || rest.find_first_not_of(" \t") == std::string_view::npos ||
                           rest[rest.find_first_not_of(" \t")] == ';';
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), m_left_of_chunk, 16);
  if (digits.empty() || digits.size() > 16 || error != std::errc() || end != digits.data() + digits.size() ||
      digits[0] == '-' || !is_extended || m_line.find('\r') != std::string::npos) {
    fail(ErrorCode::bad_request, "the size of a chunk is malformed");
  }
  if (m_left_of_chunk > m_left_of_all) {
    fail(ErrorCode::body_too_large, "the body of the request is larger than {} bytes", m_max_bytes);
  }
  m_left_of_all -= m_left_of_chunk;
}

std::size_t ChunkedBody::feed(std::string_view bytes, std::string& body) {
  const auto all = bytes.size();
  while (!bytes.empty() && !is_done()) {
    if (m_expects == Expects::data) {
      const auto part = std::min<std::uint64_t>(m_left_of_chunk, bytes.size());
      body.append(bytes, 0, part);
      bytes.remove_prefix(part);
      m_left_of_chunk -= part;
      if (m_left_of_chunk == 0) m_expects = Expects::end_of_data;
      continue;
    }
    if (!take_line(bytes)) break;
    if (m_expects == Expects::size) {
      take_size();
      m_expects = m_left_of_chunk > 0 ? Expects::data : Expects::trailer;
    } else if (m_expects == Expects::end_of_data) {
      if (!m_line.empty()) fail(ErrorCode::bad_request, "a chunk is longer than it says");
      m_expects = Expects::size;
    } else {
      m_trailer_bytes += m_line.size();
      if (m_trailer_bytes > k_max_trailer) fail(ErrorCode::bad_request, "the trailer of the body is too long");
      if (m_line.empty()) m_expects = Expects::nothing;
    }
    m_line.clear();
  }
  return all - bytes.size();
}

}  // namespace liftlock
