// What of a go.mod is needed here: its module and its requirements. https://go.dev/ref/mod#go-mod-file
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::go {

inline constexpr std::uint64_t k_max_go_mod = 16u << 20;  // as go itself

struct Requirement {
  std::string path;
  std::string version;

  auto operator<=>(const Requirement&) const = default;
};

struct GoMod {
  std::string module;
  std::vector<Requirement> requirements;
  std::set<std::string> replaced;  ///< modules with a `replace`, by version or not
};

/// Reads leniently: directives that it does not know are passed over, for newer ones come with each Go.
/// @throws Error{package_malformed} for what is too large, or names no module
GoMod parse_go_mod(std::string_view text);

}  // namespace liftlock::go
