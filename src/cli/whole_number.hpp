// Numbers on the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace liftlock {

/// The largest number that every reader of JSON keeps exact (RFC 8259 §6): 2^53 - 1.
inline constexpr std::uint64_t k_max_exact = 9'007'199'254'740'991;

/// For ->check() of each numeric option: the library would wrap "-1" around, and cut what is too large.
std::function<std::string(const std::string& text)> whole_number(std::uint64_t min, std::uint64_t max);

}  // namespace liftlock
