// The bytes of a pack: a window over the file, the zlib streams in it, and the numbers before them.
// Source: gitformat-pack(5), https://git-scm.com/docs/gitformat-pack
#pragma once

#include <zlib.h>

#include <cstdint>
#include <span>
#include <vector>

namespace liftlock::git {

/// The bytes of the pack without its trailer, one after the other.
class Window {
 public:
  static constexpr std::size_t k_piece = 64u << 10;

  Window(int file, std::uint64_t begin, std::uint64_t end) : m_file(file), m_at(begin), m_end(end) {}

  void seek(std::uint64_t at) {
    m_at = at;
    m_piece = {};
  }
  /// Of the next byte, in the file.
  std::uint64_t at() const { return m_at - m_piece.size(); }
  /// At least one byte, and none at the end. @throws Error{package_malformed}, as byte() does
  std::span<const std::uint8_t> peek();
  void skip(std::size_t bytes) { m_piece = m_piece.subspan(bytes); }
  std::uint8_t byte();

 private:
  int m_file;
  std::uint64_t m_at, m_end;
  std::vector<std::uint8_t> m_buffer = std::vector<std::uint8_t>(k_piece);
  std::span<const std::uint8_t> m_piece;
};

/// zlib streams (RFC 1950) out of a window.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Inflates the stream that begins at the window's place, exactly `size` bytes, and leaves the window behind it.
  /// `take` gets the bytes in pieces. @throws Error{package_malformed}
  template <typename Take>
  void run(Window& window, std::uint64_t size, Take&& take) {
    begin();
    std::uint64_t made = 0;
    for (bool ended = false; !ended && made <= size;) {
      const auto piece = next(window, ended);
      made += piece.size();
      if (made <= size) take(piece);
    }
    if (made != size) wrong_length();
  }

 private:
  void begin();
  std::span<const std::uint8_t> next(Window& window, bool& ended);
  [[noreturn]] static void wrong_length();

  z_stream m_stream{};
  std::vector<std::uint8_t> m_out = std::vector<std::uint8_t>(Window::k_piece);
};

struct ObjectHead {
  unsigned type = 0;  ///< that of the object, or 6 (offset delta), 7 (delta by id)
  std::uint64_t size = 0;
};

/// @throws Error{package_malformed}
ObjectHead read_object_head(Window& window);
/// How far before an offset delta its base begins. @throws Error{package_malformed}
std::uint64_t read_base_distance(Window& window);

}  // namespace liftlock::git
