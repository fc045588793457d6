// Bounded reading of model files: headers are read in small pieces, weights are never read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// Random access to the bytes of one file. Not shared between threads.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills buffer from offset. @throws Error{model_malformed} when the file ends before
  virtual void read(std::uint64_t offset, std::span<std::uint8_t> buffer) const = 0;
};

/// An open regular file; does not own the descriptor and does not move its offset.
class FileBytes final : public ByteSource {
 public:
  /// @throws Error{not_regular, io_error}
  explicit FileBytes(int fd);
  std::uint64_t size() const override { return m_size; }
  void read(std::uint64_t offset, std::span<std::uint8_t> buffer) const override;

 private:
  int m_fd;
  std::uint64_t m_size;
};

/// Bytes of the caller's, which must outlive the object.
class MemoryBytes final : public ByteSource {
 public:
  explicit MemoryBytes(std::span<const std::uint8_t> bytes) : m_bytes(bytes) {}
  std::uint64_t size() const override { return m_bytes.size(); }
  void read(std::uint64_t offset, std::span<std::uint8_t> buffer) const override;

 private:
  std::span<const std::uint8_t> m_bytes;
};

/// Reads [begin, end) of a source forwards through a buffer of 64 KiB. Numbers are little-endian.
/// Every member @throws Error{model_malformed} when it would pass the end.
class ForwardReader {
 public:
  ForwardReader(const ByteSource& source, std::uint64_t begin, std::uint64_t end);

  std::uint64_t offset() const { return m_at; }
  std::uint64_t remaining() const { return m_end - m_at; }

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  /// The next byte, not consumed; -1 at the end.
  int peek();
  std::string text(std::uint64_t size);
  void skip(std::uint64_t size);
  /// At least one and at most `most` bytes, valid until the next call.
  std::span<const std::uint8_t> some(std::uint64_t most);

 private:
  void need(std::uint64_t size) const;
  void fill();
  std::uint64_t number(unsigned size);

  const ByteSource& m_source;
  std::uint64_t m_at;
  std::uint64_t m_end;
  std::vector<std::uint8_t> m_buffer;
  std::uint64_t m_buffer_at = 0;  ///< offset of m_buffer[0]
};

/// Are all bytes of [begin, end) zero? Reads them.
bool is_all_zero(const ByteSource& source, std::uint64_t begin, std::uint64_t end);

/// RFC 3629 over pieces of a text.
class Utf8Check {
 public:
  void feed(std::span<const std::uint8_t> bytes);
  /// Was everything so far well-formed, with no sequence left open?
  bool ok() const { return m_ok && m_left == 0; }

 private:
  bool m_ok = true;
  unsigned m_left = 0;
  std::uint8_t m_low = 0x80;
  std::uint8_t m_high = 0xBF;
};

}  // namespace liftlock
