// High side: the body of a request as git sends it: gzip (RFC 1952) once it is longer than a kilobyte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/fd.hpp"

namespace liftlock::git {

inline constexpr std::uint64_t k_max_body = 32u << 20;  ///< as sent
inline constexpr std::uint64_t k_max_inflated = 64u << 20;

/// The body in memory, to be read from its beginning.
/// @param encoding the value of Content-Encoding; empty: none
/// @throws Error{encoding_unsupported, bad_request, body_too_large}
UniqueFd body_in_memory(std::string_view body, std::string_view encoding);

}  // namespace liftlock::git
