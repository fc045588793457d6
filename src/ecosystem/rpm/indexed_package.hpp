// What a package is in a repository's three lists, primary.xml, filelists.xml and other.xml. Made from its header where
// it is inspected, in a cell, and kept with what else the inspection says: the mirror joins texts and reads no header.
// Source: createrepo_c's output and the readers of librepo and libsolv; namespaces
// linux.duke.edu/metadata/{common,filelists,other}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "artifact/artifact.hpp"
#include "base/json.hpp"
#include "ecosystem/rpm/package_file.hpp"

namespace liftlock::rpm {

/// Of an inspection's facts: what to_facts() gives.
inline constexpr std::string_view k_fact_lists = "lists";

/// One package's elements, ready to stand in the three lists.
struct IndexedPackage {
  std::string primary;
  std::string filelists;
  std::string other;

  std::uint64_t size() const { return primary.size() + filelists.size() + other.size(); }
};

/// Where a package lies below its repository in the mirror.
std::string location_of(const ArtifactFile& file);

/// @param location of the .rpm below the repository
/// @throws Error{package_malformed, limit_exceeded}
IndexedPackage index_package(const PackageFile& package, const Digest& digest, std::string_view location);

/// As docs/formats/rpm.md has it, compressed. @throws Error{memory_limit}
Json to_facts(const IndexedPackage& package);
/// nullopt for what to_facts() never gave: each of the three is one element of one package, and no more.
std::optional<IndexedPackage> indexed_package_from_facts(const Json& facts);

}  // namespace liftlock::rpm
