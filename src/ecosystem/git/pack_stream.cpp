#include "ecosystem/git/pack_stream.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

[[noreturn]] void ends_early() {
  fail(ErrorCode::package_malformed, "the pack ends within an object");
}

}  // namespace

std::span<const std::uint8_t> Window::peek() {
  if (!m_piece.empty() || m_at >= m_end) return m_piece;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(k_piece, m_end - m_at));
  if (!pread_exact(m_file, std::span(m_buffer).first(size), m_at, "the pack")) ends_early();
  m_piece = std::span(m_buffer).first(size);
  m_at += size;
  return m_piece;
}

std::uint8_t Window::byte() {
  if (peek().empty()) ends_early();
  const auto out = m_piece[0];
  skip(1);
  return out;
}

Inflater::Inflater() {
  if (::inflateInit(&m_stream) != Z_OK) fail(ErrorCode::memory_limit, "there is no memory to inflate with");
}

Inflater::~Inflater() {
  ::inflateEnd(&m_stream);
}

void Inflater::begin() {
  ::inflateReset(&m_stream);
}

std::span<const std::uint8_t> Inflater::next(Window& window, bool& ended) {
  const auto in = window.peek();
  m_stream.next_in = const_cast<Bytef*>(in.data());
  m_stream.avail_in = static_cast<uInt>(in.size());
  m_stream.next_out = m_out.data();
  m_stream.avail_out = static_cast<uInt>(m_out.size());
  const int state = ::inflate(&m_stream, Z_NO_FLUSH);
  const auto got = m_out.size() - m_stream.avail_out;
  const auto used = in.size() - m_stream.avail_in;
  if ((state != Z_OK && state != Z_STREAM_END) || (state == Z_OK && got == 0 && used == 0))
    fail(ErrorCode::package_malformed, "an object of the pack does not inflate");
  window.skip(used);
  ended = state == Z_STREAM_END;
  return std::span<const std::uint8_t>(m_out).first(got);
}

void Inflater::wrong_length() {
  fail(ErrorCode::package_malformed, "an object of the pack is not as long as it says");
}

ObjectHead read_object_head(Window& window) {
  auto byte = window.byte();
  ObjectHead head{.type = (byte >> 4) & 7u, .size = byte & 15u};
  for (unsigned shift = 4; (byte & 0x80) != 0; shift += 7) {
    if (shift > 56) fail(ErrorCode::package_malformed, "the size of an object has too many digits");
    byte = window.byte();
    head.size |= std::uint64_t{byte & 0x7fu} << shift;
  }
  return head;
}

std::uint64_t read_base_distance(Window& window) {
  auto byte = window.byte();
  std::uint64_t out = byte & 0x7fu;
  while ((byte & 0x80) != 0) {
    if (out > (std::uint64_t{1} << 54)) fail(ErrorCode::package_malformed, "the base of a delta lies too far");
    byte = window.byte();
    out = ((out + 1) << 7) | (byte & 0x7fu);
  }
  return out;
}

}  // namespace liftlock::git
