// The zip of a module, as a module proxy hands it out: https://go.dev/ref/mod#zip-files. And "h1" hashes: the SHA-256
// over sorted lines of SHA-256 and name (golang.org/x/mod/sumdb/dirhash).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace liftlock::go {

inline constexpr std::uint64_t k_max_module_size = 500u << 20;  // zip and content, each: as go itself

struct ModuleZip {
  std::string h1;  ///< "h1:…"
  std::uint64_t files = 0;
  std::uint64_t unpacked_size = 0;
  bool has_go_mod = false;
  std::string go_mod;  ///< the bytes of the go.mod at its top, where there is one
};

/// Reads the whole zip once. Refused: what ZipReader refuses, names that do not begin with PATH@VERSION/, names that
/// differ only in case, a go.mod below the top or in other letters, and what is past the sizes of the specification.
/// @param fd its offset is neither used nor moved
/// @throws Error{package_malformed, path_unsafe, path_collision, not_regular, limit_exceeded}
ModuleZip check_module_zip(int fd, std::string_view path, std::string_view version);

/// "h1:…" of the bytes of a go.mod.
std::string h1_of_go_mod(std::string_view bytes);

/// The .info that is served for a version: of what a proxy says there, only what follows from the version itself, for
/// go.sum proves nothing of the rest.
std::string info_of(std::string_view version);

}  // namespace liftlock::go
