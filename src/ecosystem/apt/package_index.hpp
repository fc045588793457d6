// What the Packages files of some suites offer: packages, relations between them, who provides what. Texts are kept and
// referred to by views; an index of a whole Debian suite takes about 80 MB.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ecosystem/apt/deb_version.hpp"

namespace liftlock::apt {

/// "libfoo:any (>= 1.2)" (deb-control(5), Debian Policy §7.1)
struct Relation {
  std::string_view name;
  std::string_view architecture;  ///< "", "any", "native" or an architecture
  VersionRelation relation = VersionRelation::any;
  std::string_view version;
};
std::string text(const Relation& relation);

/// One of these must hold.
using Alternatives = std::vector<Relation>;
std::string text(const Alternatives& alternatives);

/// A value of Depends, Conflicts, Provides …; views into `value`. Architecture and profile restrictions are skipped.
/// @throws Error{schema_violation, limit_exceeded}
std::vector<Alternatives> parse_relations(std::string_view value);

using PackageId = std::uint32_t;
inline constexpr PackageId k_no_package = 0xffffffff;

struct Package {
  std::string_view name;
  std::string_view version;
  std::string_view architecture;  ///< "all" or an architecture
  std::string_view multi_arch;    ///< "", "no", "same", "foreign", "allowed"
  std::string_view priority;
  std::string_view pre_depends, depends, recommends, provides, conflicts, breaks;
  std::string_view filename;  ///< below the archive's root; empty for a package of a base
  std::string_view sha256;    ///< hex; empty for a package of a base
  std::string_view stanza;
  std::uint64_t size = 0;
  std::uint32_t source = 0;  ///< of which suite it is: the caller's number
  bool essential = false;
  bool installed = false;  ///< stands in a dpkg status file: present, but not to be had
};

class PackageIndex {
 public:
  enum class Kind : std::uint8_t { offered, installed };

  /// Reads a Packages file (or, with Kind::installed, a dpkg status file, of which only what is installed counts).
  /// Equal name, version and architecture from an earlier call wins.
  /// @throws Error{schema_violation, limit_exceeded}
  void add(std::string text, std::uint32_t source, Kind kind, const std::string& where);

  const Package& operator[](PackageId id) const { return m_packages[id]; }
  std::size_t size() const { return m_packages.size(); }
  const std::vector<PackageId>& named(std::string_view name) const;

  struct Provider {
    PackageId package;
    std::string_view version;  ///< empty: unversioned
  };
  const std::vector<Provider>& providers(std::string_view name) const;

  /// Names near this one, for messages.
  std::optional<std::string> nearest_name(std::string_view name) const;

 private:
  void add_package(Package package);
  std::vector<std::unique_ptr<const std::string>> m_texts;
  std::vector<Package> m_packages;
  std::unordered_map<std::string_view, std::vector<PackageId>> m_by_name;
  std::unordered_map<std::string_view, std::vector<Provider>> m_providers;
};

}  // namespace liftlock::apt
