// go.sum: the hashes of all modules that a build may need. https://go.dev/ref/mod#go-sum-files
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::go {

inline constexpr std::uint64_t k_max_go_sum = 32u << 20;

struct ModuleSums {
  std::string path;
  std::string version;
  std::string zip;  ///< "h1:…" of the module's files; empty where only its go.mod is needed
  std::string mod;  ///< "h1:…" of its go.mod; empty where the file does not say
};

/// Sorted by path, then by version. Hashes of other algorithms than h1 are left out, as go does.
/// @throws Error{unresolvable} for what is no such file, and for two hashes of one thing
std::vector<ModuleSums> parse_go_sum(std::string_view text);

}  // namespace liftlock::go
