// Is an artifact of kind "rpm" the package that it claims to be? And the evidence that travels with packages: kinds
// "rpm-index" and "rpm-key". Formats: docs/formats/rpm.md.
#pragma once

#include "ecosystem/inspector.hpp"
#include "ecosystem/rpm/package_file.hpp"

namespace liftlock::rpm {

inline constexpr std::string_view k_kind = "rpm";
/// A repomd.xml, its signature where it has one, and the primary.xml.* that it states, as they were fetched.
inline constexpr std::string_view k_index_kind = "rpm-index";
/// An armored OpenPGP public key that upstream signs with.
inline constexpr std::string_view k_key_kind = "rpm-key";
/// Where keys lie in a bundle: as NAME-HEX.asc, HEX the first 16 digits of the file's SHA-256.
inline constexpr std::string_view k_key_folder = "packages/rpm/keys";

/// Facts that an artifact states, too, for they say which records of vulnerabilities mean it: the header's vendor, and
/// the file name of the source package; empty where the header has none.
inline constexpr const char* k_fact_vendor = "vendor";
inline constexpr const char* k_fact_source = "source_rpm";
Json origin_facts(const PackageFile& package);

/// Findings: a broken lead, header or signature header; a header that is another name's, version's or architecture's; a
/// payload that does not have the digest of the header; a path that is relative or traverses; a device node; more than
/// the mirror lists of one package. Facts: name, version, architecture, license, vendor, source_rpm, entries,
/// unpacked_size, scripts, setuid, capabilities, provides, requires, payload_digest, lists (indexed_package.hpp: what
/// the mirror puts into its own), and signature with the bytes that it covers: who signed is judged where the keys are.
class RpmInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

/// Findings: a repomd.xml that states neither the SHA-256 nor the SHA-512 of the primary.xml.* beside it; a file too
/// many.
class RpmIndexInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

/// Findings: what is no armored public key block, or holds a private one; a file that is not named by its digest.
class RpmKeyInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::rpm
