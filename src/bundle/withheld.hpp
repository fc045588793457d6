// A scanner's statement that files of a bundle may not land: signed, beside the bundle, in withheld/.
// Format: docs/formats/withheld.md.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "bundle/bundle_reader.hpp"
#include "trust/trust.hpp"

namespace liftlock {

struct Withheld {
  struct File {
    RelPath path;
    Digest digest;
    std::string reason;
  };
  Digest bundle;  ///< of its bundle.json
  std::string creator;
  Timestamp created{};
  std::vector<File> files;  ///< at least one, sorted by path, each once
};

std::string write_withheld(const Withheld& withheld);
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, too_new, limit_exceeded, path_unsafe}
Withheld parse_withheld(std::string_view text);

struct CarriedWithheld {
  Withheld withheld;
  std::string text;  ///< the exact bytes that are signed
  std::vector<SignatureFile> signatures;
};
/// Of a bundle's folder; nullopt when nobody withheld anything. @throws as parse_withheld, Error{not_regular}
std::optional<CarriedWithheld> read_withheld(const fs::path& bundle);

/// Does it speak of this bundle, and of files of its artifacts? After BundleReader::load_lists().
/// @throws Error{withheld_invalid}
void check_withheld(const Withheld& withheld, const BundleReader& bundle);
/// At least one scanner signed it, or as many as the root asks for. @throws as require_thresholds
std::vector<JudgedSignature> require_scanner(const CarriedWithheld& carried, const TrustRoot& root, Timestamp when);

std::set<RelPath> paths_of(const Withheld& withheld);

/// What may land: neither withheld, nor in need of something of the same bundle that does not land.
struct Landing {
  std::vector<Artifact> artifacts;  ///< in the bundle's order
  std::vector<std::string> left;    ///< "ID: why", sorted
};
Landing judge_landing(const std::vector<Artifact>& artifacts, const std::set<RelPath>& withheld);

}  // namespace liftlock
