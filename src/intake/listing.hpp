// A list of digests that lies beside the files it lists: MODEL_MANIFEST.sha256, SHA256SUMS, checksums.txt.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "intake/shape.hpp"

namespace liftlock {

struct Listing {
  std::string path;                       ///< of the list
  std::map<std::string, Digest> digests;  ///< by path in the tree
  SignedDocument document;                ///< its bytes, and the signatures beside it: LIST.asc, LIST.sigstore.json
};

/// Is there a list at the top of the tree?
bool has_listing(const Tree& tree);
/// The list at the top of the tree; nullopt without one. Each file that it names is there, and each file but the list
/// and its signatures is named.
/// @throws Error{missing_file, extra_file, path_collision, schema_violation, limit_exceeded}
std::optional<Listing> find_listing(const Tree& tree);

/// `stated` of what the listing says; the list and its signatures are not wanted.
std::vector<WantedFile> wanted_files(const std::shared_ptr<const Tree>& tree, const std::optional<Listing>& listing);
/// Is it the list, or a signature over it?
bool is_of_listing(const std::optional<Listing>& listing, std::string_view path);
/// What a file of the tree is believed for, before anybody vouches.
std::vector<Evidence> listing_evidence(const std::optional<Listing>& listing, std::string_view path);
/// Puts the list into `found`: as the document that signatures speak for, and as one that is kept.
void keep_listing(Found& found, const std::optional<Listing>& listing);

/// Signatures over a file of the tree: FILE.asc, FILE.sigstore.json, or with another word before these endings.
std::vector<SignatureFile> signatures_beside(const Tree& tree, std::string_view path);

/// The name of a tree without the endings of archives and of the formats that are imported.
std::string plain_title(const Tree& tree);

}  // namespace liftlock
