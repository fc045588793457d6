// What the mirror of an ingest node tells production nodes: a ring's bundles, and one bundle's front.
// Format: docs/formats/sync.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/rel_path.hpp"

namespace liftlock {

/// The ring that follows what landed; every other one is what a person promoted.
inline constexpr std::string_view k_canary_ring = "canary";

namespace sync_limits {
inline constexpr std::uint64_t k_ring_document = 64u << 20;
inline constexpr std::uint64_t k_publication_document = 256u << 20;
inline constexpr std::size_t k_bundles = 100'000;
inline constexpr std::size_t k_front_files = 4096;
inline constexpr std::size_t k_artifacts = 2'000'000;
inline constexpr std::size_t k_artifact_id = 16u << 10;  ///< bytes of one
}  // namespace sync_limits

struct RingDocument {
  struct Bundle {
    std::string channel;
    std::uint64_t sequence = 0;
    Digest digest;                ///< of bundle.json
    std::uint64_t artifacts = 0;  ///< in use; 0 among the retired

    bool operator==(const Bundle&) const = default;
  };
  std::string ring;
  std::vector<Bundle> bundles;  ///< sorted by channel and sequence, each once
  std::vector<Bundle> retired;  ///< likewise
};

struct PublicationDocument {
  struct File {
    RelPath path;
    std::uint64_t size = 0;
    Digest digest;
  };
  std::string channel;
  std::uint64_t sequence = 0;
  Digest digest;                       ///< of bundle.json
  std::vector<File> files;             ///< in front of the content; sorted by path, each once
  std::vector<std::string> artifacts;  ///< ids of those in use, sorted, each once
};

std::string write_ring_document(const RingDocument& ring);
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, too_new, limit_exceeded}
RingDocument parse_ring_document(std::string_view text);

std::string write_publication_document(const PublicationDocument& publication);
/// @throws as parse_ring_document, Error{path_unsafe}
PublicationDocument parse_publication_document(std::string_view text);

/// A name of a ring: 1 to 64 letters, digits, '-', '_', '.', and the like (portable_component), not beginning with '.'.
bool is_ring_name(std::string_view text);

}  // namespace liftlock
