// Low side: the POMs of one repository, and what they say together: licences, dependencies and versions that a POM has
// from its parents, and from those whose dependencyManagement it imports. As Maven's model builder puts them together,
// but for profiles and ranges of versions. https://maven.apache.org/ref/3.9.9/maven-model-builder/
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/maven/pom.hpp"

namespace liftlock::maven {

class PomSet {
 public:
  enum class Files : std::uint8_t { pom_alone, more };  ///< of a version
  void add(const std::string& name, const std::string& version, std::optional<Pom> pom, Files files);

  /// What the POM states, or the nearest of its parents that states one; empty when none does.
  std::string license(const std::string& name, const std::string& version) const;

  /// Of those that were added: its parent, what it imports, and what it needs to be compiled or run with, without what
  /// is optional. Where the stated version has no more than its POM here, or none is stated, all versions that have.
  /// Pairs of name and version. Not thread-safe: what POMs say that are imported is kept.
  /// @throws Error{limit_exceeded} when more than some 200,000 managed versions are to be read for it
  std::set<std::pair<std::string, std::string>> needs(const std::string& name, const std::string& version) const;

 private:
  using Key = std::pair<std::string, std::string>;  ///< "GROUP:ARTIFACT", version
  struct One {
    std::optional<Pom> pom;
    Files files = Files::pom_alone;
  };
  /// What dependencyManagement says of a dependency that states none itself. Maven does not manage <optional>.
  struct Managed {
    std::string version, scope;
  };
  /// In a POM and its parents, in its words.
  struct Stated {
    std::map<std::string, Managed> managed;  ///< by managed_key()
    std::vector<Key> imports;
  };
  /// What is read for one artifact: managed versions, and looks at what is imported.
  struct Effort {
    const Key& key;  ///< the artifact
    std::size_t spent = 0;
    /// @throws Error{limit_exceeded}
    void add(std::size_t entries);
  };

  std::vector<const Pom*> chain(const Key& leaf) const;
  static std::optional<std::string> value(const std::vector<const Pom*>& chain, std::string_view text);
  std::optional<Key> key_of(const std::vector<const Pom*>& chain, const Coordinates& what) const;
  /// "GROUP:ARTIFACT:TYPE:CLASSIFIER": which of a version's files, for each is managed by itself.
  static std::string managed_key(const std::vector<const Pom*>& chain, const PomDependency& dependency);
  Stated stated_in(const std::vector<const Pom*>& chain) const;
  void add_imported(const Stated& by, std::vector<const Stated*>& out, std::set<Key>& seen, Effort& effort) const;
  void add_best(const std::string& name, const std::string& version, std::set<Key>& out) const;

  std::map<Key, One> m_all;
  mutable std::map<Key, Stated> m_stated;  ///< of what is imported, read once for all that import it
};

}  // namespace liftlock::maven
