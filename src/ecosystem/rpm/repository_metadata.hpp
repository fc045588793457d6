// Low side: repomd.xml and primary.xml of a repository, as far as the collector needs them (ecosystem/xml.hpp).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "ecosystem/rpm/package_file.hpp"
#include "ecosystem/xml.hpp"

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

/// Reads a list of packages as it is unpacked; keeps of it what it returns.
class PrimaryReader : private XmlListener {
 public:
  explicit PrimaryReader(std::string where);
  /// @throws Error{schema_violation, limit_exceeded}, and so does finish()
  void feed(std::string_view block);
  PackageList finish();

 private:
  void begin(std::string_view path, const XmlAttributes& attributes) override;
  void end(std::string_view path, std::string_view text) override;
  std::string_view kept(std::string_view text) const;

  struct Now {
    Identity identity;
    std::string location, checksum_type;
    std::optional<Digest> digest;
    std::optional<std::uint64_t> size;
  };
  std::string m_where;
  bool m_is_one = false;
  Now m_now;
  PackageList m_found;
  XmlReader m_reader;
};

}  // namespace liftlock::rpm
