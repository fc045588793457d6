// Python versions and version specifiers: https://packaging.python.org/en/latest/specifications/version-specifiers/
// (PEP 440).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// A version in parsed form, ordered as PEP 440 says: 1.0.dev1 < 1.0a1 < 1.0 < 1.0+local < 1.0.post1; 1.0 equals 1.0.0.
class PyVersion {
 public:
  /// Accepts what PEP 440 accepts, normalising ("v1.0-ALPHA.1" is "1.0a1"); nullopt for anything else and for numbers
  /// past 2^63. At most 128 bytes.
  static std::optional<PyVersion> parse(std::string_view text);

  /// The normalised form, with its trailing zeros.
  std::string text() const;
  bool is_prerelease() const { return m_pre.has_value() || m_dev.has_value(); }
  bool is_postrelease() const { return m_post.has_value(); }

  std::strong_ordering operator<=>(const PyVersion& other) const;
  bool operator==(const PyVersion& other) const { return (*this <=> other) == 0; }

 private:
  friend class PySpecifier;
  struct Pre {
    char kind;  ///< 'a', 'b' or 'r' (rc)
    std::uint64_t number;
  };
  PyVersion without_local() const;
  PyVersion base() const;  ///< epoch and release only

  std::uint64_t m_epoch = 0;
  std::vector<std::uint64_t> m_release;
  std::optional<Pre> m_pre;
  std::optional<std::uint64_t> m_post;
  std::optional<std::uint64_t> m_dev;
  std::vector<std::string> m_local;
};

/// One clause: ">=1.2", "~=2.0", "==1.*", "!=3", "===text".
class PySpecifier {
 public:
  static std::optional<PySpecifier> parse(std::string_view text);
  /// Pre-releases are not treated specially: the question is asked of versions that were chosen already.
  bool allows(const PyVersion& version) const;

 private:
  bool matches_prefix(const PyVersion& version) const;
  std::string m_operator;
  std::string m_text;
  std::optional<PyVersion> m_version;  ///< absent only for "==="
  bool m_wildcard = false;
};

/// Clauses separated by commas; an empty text allows everything. nullopt when a clause is malformed.
std::optional<std::vector<PySpecifier>> parse_specifiers(std::string_view text);
bool all_allow(const std::vector<PySpecifier>& specifiers, const PyVersion& version);

}  // namespace liftlock
