// The body of a request that came in chunks (RFC 9112 §7.1), put together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace liftlock {

/// Strict where a guess would be smuggling: sizes are 1 to 16 hex digits, each chunk ends in CR LF. Extensions and
/// trailer fields are bounded and thrown away.
class ChunkedBody {
 public:
  explicit ChunkedBody(std::uint64_t max_bytes) : m_left_of_all(max_bytes), m_max_bytes(max_bytes) {}

  /// Appends the data in `bytes` to `body`. @return how many of them belong to the body; all of them until is_done()
  /// @throws Error{bad_request, body_too_large}
  std::size_t feed(std::string_view bytes, std::string& body);
  bool is_done() const { return m_expects == Expects::nothing; }

 private:
  enum class Expects : std::uint8_t { size, data, end_of_data, trailer, nothing };
  bool take_line(std::string_view& bytes);
  void take_size();
  Expects m_expects = Expects::size;
  std::string m_line;
  std::uint64_t m_left_of_chunk = 0, m_left_of_all, m_max_bytes;
  std::size_t m_trailer_bytes = 0;
};

}  // namespace liftlock
