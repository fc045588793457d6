// Names of container images, as people and clients write them.
// Grammar: opencontainers/distribution-spec 1.1, "Pulling manifests"; docs/formats/image.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::oci {

/// [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:…]
struct Reference {
  std::string host;        ///< with its port; empty when the text names none
  std::string repository;  ///< "library/debian": lower case, at most 255 bytes
  std::string tag;         ///< empty when there is none
  std::optional<Digest> digest;

  /// As it was parsed.
  std::string text() const;
  /// The tag, else the digest, else "latest".
  std::string version() const;
  bool operator==(const Reference&) const = default;
};

/// The first component is a host when it holds '.' or ':' or is "localhost", as all clients have it.
/// @throws Error{schema_violation}
Reference parse_reference(std::string_view text);

/// Components of [a-z0-9]+ joined by '.', '_', '__' or dashes; '/' between them; at most 255 bytes.
bool is_repository(std::string_view text);
/// [A-Za-z0-9_][A-Za-z0-9._-]{0,127}
bool is_tag(std::string_view text);
/// A tag that says of itself that it moves: "latest", "stable", "nightly" …
bool is_moving_tag(std::string_view tag);

/// Where an image of the stack is taken from.
struct Source {
  enum class Kind : std::uint8_t { registry, docker_archive, layout };
  Kind kind = Kind::registry;
  Reference reference;  ///< registry only; host is not empty
  std::string path;     ///< docker_archive: the file; layout: the folder; as written
  std::string inner;    ///< which image of the archive or layout; empty: the only one
};

/// "docker://HOST[:PORT]/NAME[:TAG][@DIGEST]", "docker-archive:PATH[:REF]", "oci:FOLDER[:TAG]".
/// @throws Error{stack_invalid}
Source parse_source(std::string_view text);

/// A platform as clients write it: "linux/amd64", "linux/arm64/v8".
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;

  std::string text() const;
  /// Does an image for `other` serve who asks for this one? Without a variant, any variant does.
  bool accepts(const Platform& other) const;
  auto operator<=>(const Platform&) const = default;
};
/// @throws Error{schema_violation}
Platform parse_platform(std::string_view text);

}  // namespace liftlock::oci
