// The deltas of a pack: how an object is made of another one. Source: gitformat-pack(5), "Deltified representation"
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace liftlock::git {

/// @param most bytes that it may make
/// @throws Error{package_malformed, limit_exceeded}
std::string apply_delta(std::string_view base, std::span<const std::uint8_t> delta, std::uint64_t most);

}  // namespace liftlock::git
