// An .rpm: lead, signature header, header, payload. Source: "RPM V4 Package format", rpm.org/docs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "ecosystem/rpm/rpm_header.hpp"

namespace liftlock::rpm {

/// What a package is called. Its parts are of the characters that rpmbuild allows.
struct Identity {
  std::string name;
  std::uint64_t epoch = 0;  ///< 0: none
  std::string version;
  std::string release;
  std::string architecture;  ///< "x86_64", "noarch" …

  /// "VERSION-RELEASE", with "EPOCH:" in front where there is one: an artifact's version.
  std::string evr() const;
};

enum class Relation : std::uint8_t {
  provides,
  requires_,
  conflicts,
  obsoletes,
  recommends,
  suggests,
  supplements,
  enhances
};

struct Dependency {
  std::string_view name;  ///< or a rich one, "(a if b)"
  std::string_view version;
  std::uint64_t flags = 0;  ///< rpmsenseFlags of rpm's include/rpm/rpmds.h
};
constexpr std::uint64_t k_sense_less = 2, k_sense_greater = 4, k_sense_equal = 8;
/// RPMSENSE_PREREQ, _SCRIPT_PRE, _SCRIPT_POST: needed before the package is installed
constexpr std::uint64_t k_sense_before = 64 | 512 | 1024;

struct PackagedFile {
  std::string path;
  unsigned mode = 0;        ///< st_mode
  std::uint64_t flags = 0;  ///< rpmfileAttrs of rpm's include/rpm/rpmfiles.h
};
constexpr std::uint64_t k_file_ghost = 64;

struct Signature {
  Bytes packet;                 ///< OpenPGP, binary
  bool covers_payload = false;  ///< signed are header and payload; else the header, which has the payload's digest
};

/// Lower-case hex of the bytes from offset to the file's end, which is at size.
std::string hash_file(int fd, std::uint64_t offset, std::uint64_t size, DigestAlgorithm algorithm);

class PackageFile {
 public:
  static constexpr std::uint64_t k_max_listed = 32u << 20;
  static constexpr std::size_t k_max_changelogs = 10;  ///< in a repository's lists, as createrepo_c has

  /// Reads and checks all but the payload. Refused: a source package, a header that is not all signed, a size or a
  /// digest in the signature header that is not the file's.
  /// @param fd its offset is not used
  /// @throws Error{package_malformed, limit_exceeded}
  static PackageFile read(int fd);

  const RpmHeader& signatures() const { return m_signatures; }
  const RpmHeader& header() const { return m_header; }
  std::uint64_t header_start() const { return m_header_start; }
  std::uint64_t payload_start() const { return m_header_start + m_header.bytes().size(); }
  std::uint64_t size() const { return m_size; }

  /// @throws Error{package_malformed} where one is missing or holds other characters
  Identity identity() const;
  /// Three tags of equal length, or none. @throws Error{package_malformed}
  std::vector<Dependency> relations(Relation relation) const;
  /// @throws Error{package_malformed, limit_exceeded}
  std::vector<PackagedFile> files() const;
  /// Does it take at most k_max_listed bytes of each list of a repository (indexed_package.hpp)? Names that a package
  /// states once stand in the lists with each file, and escaped. @throws Error{limit_exceeded}
  void check_listed_size() const;
  /// The signature that counts: of the header where that has the payload's digest, else of both. nullopt: unsigned.
  std::optional<Signature> signature() const;
  /// Compares the payload with the digest that the header states for it; false where it states none.
  /// @throws Error{package_malformed} when they differ
  bool check_payload(int fd) const;

 private:
  PackageFile(RpmHeader signatures, RpmHeader header)
      : m_signatures(std::move(signatures)), m_header(std::move(header)) {}
  std::string word(Tag tag, std::string_view what) const;

  RpmHeader m_signatures;
  RpmHeader m_header;
  std::uint64_t m_header_start = 0;
  std::uint64_t m_size = 0;
};

}  // namespace liftlock::rpm
