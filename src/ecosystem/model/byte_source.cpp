#include "ecosystem/model/byte_source.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_buffer = 64 * 1024;

[[noreturn]] void ends_early(std::uint64_t offset) {
  fail(ErrorCode::model_malformed, "the file ends early, at byte {}", offset);
}

}  // namespace

FileBytes::FileBytes(int fd) : m_fd(fd), m_size(regular_size(fd, "a model file")) {}

void FileBytes::read(std::uint64_t offset, std::span<std::uint8_t> buffer) const {
  if (offset > m_size || buffer.size() > m_size - offset) ends_early(m_size);
  if (!pread_exact(m_fd, buffer, offset, "a model file")) ends_early(m_size);
}

void MemoryBytes::read(std::uint64_t offset, std::span<std::uint8_t> buffer) const {
  if (offset > m_bytes.size() || buffer.size() > m_bytes.size() - offset) ends_early(m_bytes.size());
  if (!buffer.empty()) std::memcpy(buffer.data(), m_bytes.data() + offset, buffer.size());
}

ForwardReader::ForwardReader(const ByteSource& source, std::uint64_t begin, std::uint64_t end)
    : m_source(source), m_at(begin), m_end(end) {
  if (begin > end || end > source.size()) ends_early(source.size());
}

void ForwardReader::need(std::uint64_t size) const {
  if (size > remaining()) ends_early(m_end);
}

void ForwardReader::fill() {
  if (m_at >= m_buffer_at && m_at < m_buffer_at + m_buffer.size()) return;
  m_buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(k_buffer, remaining())));
  m_buffer_at = m_at;
  m_source.read(m_at, m_buffer);
}

std::span<const std::uint8_t> ForwardReader::some(std::uint64_t most) {
  need(1);
  fill();
  const auto skip_bytes = static_cast<std::size_t>(m_at - m_buffer_at);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(most, m_buffer.size() - skip_bytes));
  m_at += size;
  return std::span<const std::uint8_t>(m_buffer).subspan(skip_bytes, size);
}

int ForwardReader::peek() {
  if (remaining() == 0) return -1;
  fill();
  return m_buffer[static_cast<std::size_t>(m_at - m_buffer_at)];
}

std::uint64_t ForwardReader::number(unsigned size) {
  need(size);
  std::uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= static_cast<std::uint64_t>(some(1)[0]) << (8 * i);
  return value;
}

std::uint8_t ForwardReader::u8() {
  return static_cast<std::uint8_t>(number(1));
}
std::uint16_t ForwardReader::u16() {
  return static_cast<std::uint16_t>(number(2));
}
std::uint32_t ForwardReader::u32() {
  return static_cast<std::uint32_t>(number(4));
}
std::uint64_t ForwardReader::u64() {
  return number(8);
}

std::string ForwardReader::text(std::uint64_t size) {
  need(size);
  std::string out;
  out.reserve(static_cast<std::size_t>(size));
  while (out.size() < size) {
    const auto piece = some(size - out.size());
    out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return out;
}

void ForwardReader::skip(std::uint64_t size) {
  need(size);
  m_at += size;
}

bool is_all_zero(const ByteSource& source, std::uint64_t begin, std::uint64_t end) {
  std::vector<std::uint8_t> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(k_buffer, end - begin)));
  while (begin < end) {
    const auto piece =
        std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - begin)));
    source.read(begin, piece);
    if (std::any_of(piece.begin(), piece.end(), [](std::uint8_t byte) { return byte != 0; })) return false;
    begin += piece.size();
  }
  return true;
}

void Utf8Check::feed(std::span<const std::uint8_t> bytes) {
  for (const auto byte : bytes) {
    if (!m_ok) return;
    if (m_left > 0) {
      m_ok = byte >= m_low && byte <= m_high;
      --m_left;
      m_low = 0x80;
      m_high = 0xBF;
    } else if (byte >= 0xC2 && byte <= 0xDF) {
      m_left = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
      m_left = 2;
      m_low = byte == 0xE0 ? 0xA0 : 0x80;
      m_high = byte == 0xED ? 0x9F : 0xBF;
    } else if (byte >= 0xF0 && byte <= 0xF4) {
      m_left = 3;
      m_low = byte == 0xF0 ? 0x90 : 0x80;
      m_high = byte == 0xF4 ? 0x8F : 0xBF;
    } else {
      m_ok = byte < 0x80;
    }
  }
}

}  // namespace liftlock
