// Packages.xz and its like, unpacked in bounds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace liftlock::apt {

/// The content of a file compressed as its name says: .xz, .gz, .zst, .bz2 or none of these.
/// @param fd its offset is not used
/// @throws Error{limit_exceeded} past max_bytes, Error{schema_violation} when it is broken
std::string decompress(int fd, std::string_view name, std::uint64_t max_bytes);

}  // namespace liftlock::apt
