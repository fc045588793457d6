// Ranges and entity tags of conditional requests (RFC 9110 §8.8.3, §13, §14), from foreign bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace liftlock {

/// What a Range header asks of a representation.
struct ByteRange {
  enum class Kind : std::uint8_t {
    whole,          ///< no header, another unit, several ranges, or malformed: RFC 9110 says to ignore it
    part,           ///< offset and size are set, size > 0 and within the representation
    unsatisfiable,  ///< well-formed, but outside: 416
  };
  Kind kind = Kind::whole;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// @param header the value of Range; empty when absent
/// @param total size of the representation
ByteRange parse_range(std::string_view header, std::uint64_t total);

/// Does If-None-Match name this tag, by weak comparison? @param etag as sent in ETag, with its quotes; not empty
bool matches_none_match(std::string_view header, std::string_view etag);

/// Does If-Range allow the range? Only a strong tag that is equal does; a date never (no dates are sent).
bool matches_if_range(std::string_view header, std::string_view etag);

}  // namespace liftlock
