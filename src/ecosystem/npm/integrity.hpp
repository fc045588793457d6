// Subresource Integrity (https://www.w3.org/TR/SRI/) as npm uses it, and the digests that npm's protocol needs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::npm {

/// What a lock file states of a tarball: the strongest that it names.
struct Integrity {
  std::optional<Digest> digest;  ///< SHA-512, SHA-384 or SHA-256
  std::string sha1;              ///< 40 hexadecimal digits, where it names nothing stronger

  /// "sha512-BASE64", several separated by white space, options after '?' ignored.
  /// @throws Error{schema_violation} when it names none of these algorithms, or breaks its form
  static Integrity parse(std::string_view text);
};

/// "sha512-BASE64"
std::string integrity_text(const Digest& digest);

/// Both of the same bytes, in one pass.
struct TarballDigests {
  std::string integrity;  ///< "sha512-BASE64"
  std::string shasum;     ///< SHA-1 in hex, which old clients compare; no evidence of anything
};
/// Reads the whole file without moving its offset. @throws Error{io_error}
TarballDigests tarball_digests(int fd);

}  // namespace liftlock::npm
