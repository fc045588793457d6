// Which packages can fulfil a relation: names, versions, Provides and architectures (Debian Policy §7, Multi-Arch).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/apt/package_index.hpp"

namespace liftlock::apt {

class PackageMatcher {
 public:
  PackageMatcher(const PackageIndex& index, std::string native) : m_index(index), m_native(std::move(native)) {}

  /// The architecture a package counts as: "all" is the native one.
  std::string_view architecture(const Package& package) const;

  /// Packages that fulfil a positive relation of a package of architecture `wanting`, best first: real packages of that
  /// architecture by falling version, then of others, then providers by Priority, name and falling version.
  std::vector<PackageId> candidates(const Relation& relation, std::string_view wanting) const;
  std::vector<PackageId> candidates(const Alternatives& alternatives, std::string_view wanting) const;

  /// Does a Conflicts or Breaks relation hit this package, by its name or by what it provides?
  bool hits(const Relation& negative, PackageId package) const;

  /// May both be unpacked at the same time, as far as their names go?
  bool coinstallable(const Package& a, const Package& b) const;

 private:
  bool architecture_fits(const Relation& relation, std::string_view wanting, const Package& package) const;
  const PackageIndex& m_index;
  std::string m_native;
};

}  // namespace liftlock::apt
