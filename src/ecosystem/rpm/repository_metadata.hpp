// Low side: repomd.xml and primary.xml of a repository, as far as the collector needs them. Read by expat, which
// bounds what entities expand to; a document type declaration is refused all the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::rpm {

/// One list that repomd.xml names.
struct ListedIndex {
  std::string location;  ///< below the repository's address
  Digest digest;         ///< SHA-256 or SHA-512, of the file as it is served
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> open_size;  ///< unpacked
};

/// By type: "primary", "filelists" … What has no SHA-2 is left out.
using RepoMd = std::map<std::string, ListedIndex, std::less<>>;

/// @throws Error{schema_violation}
RepoMd parse_repomd(std::string_view text, const std::string& where);

/// The <revision>, as a rule when the repository was made, in seconds; nullopt where it is no number.
/// @throws Error{schema_violation}
std::optional<std::uint64_t> repomd_revision(std::string_view text, const std::string& where);

struct ListedPackage {
  std::string name;
  std::string architecture;
  std::string evr;  ///< as Identity::evr() writes it
  Digest digest;    ///< SHA-256 or SHA-512
  std::uint64_t size = 0;
};

/// By location below the repository's address. What has no SHA-2, or lies elsewhere (xml:base), is left out.
using PackageList = std::map<std::string, ListedPackage, std::less<>>;

/// @throws Error{schema_violation, limit_exceeded}
PackageList parse_primary(std::string_view text, const std::string& where);

}  // namespace liftlock::rpm
