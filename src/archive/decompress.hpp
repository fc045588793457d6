// One file compressed by itself (an index, Packages.xz), unpacked in bounds; and packed so that equal text gives equal
// bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace liftlock {

/// The content of a file compressed as its name says: .xz, .gz, .zst, .bz2 or none of these.
/// @param fd its offset is not used
/// @throws Error{limit_exceeded} past max_bytes, Error{schema_violation} when it is broken
std::string decompress(int fd, std::string_view name, std::uint64_t max_bytes);
/// The same, block by block: memory does not grow with the content.
void decompress(int fd, std::string_view name, std::uint64_t max_bytes,
                const std::function<void(std::string_view block)>& sink);

/// gzip (RFC 1952) without a time and a name in it. @throws Error{memory_limit}
std::string gzip(std::string_view text);
/// The same of a text in pieces, which need not lie in memory as one.
std::string gzip(std::span<const std::string_view> pieces);

}  // namespace liftlock
