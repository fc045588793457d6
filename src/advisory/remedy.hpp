// What would end a finding: another version of the package that is known here, or one to ask for.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "advisory/affected.hpp"

namespace liftlock::advisory {

/// "deb:libssl3" of "deb:libssl3@3.0.9-1"
std::string_view without_version(std::string_view id);

/// Ids of artifacts, each with the subject of a finding about it.
using Meant = std::set<std::pair<std::string, std::string>>;
Meant meant_of(const std::vector<Affected>& findings);

/// Which artifacts could take the place of others.
class Replacements {
 public:
  /// Kinds of which OSV has no ecosystem are left out; what was added before is not added again.
  void add(const Artifact& artifact);
  /// Of all that was added: what has to be matched with the databases.
  const std::vector<Subject>& subjects() const { return m_subjects; }
  /// Ids, each once: of the same kind, name, architecture and release, not earlier, and not in `meant` for the same
  /// vulnerability. What is built from the same source is another package. @param meant of the match of subjects()
  std::set<std::string> of(const Affected& found, const Meant& meant) const;

 private:
  struct Candidate {
    std::string id;
    std::string version;       ///< its own, where a known package may have its source's
    std::string architecture;  ///< empty where the kind has none
    std::vector<KnownPackage> known;

    bool operator==(const Candidate&) const = default;
  };
  static bool fit(const Candidate& a, const Candidate& b);

  std::multimap<std::string, Candidate, std::less<>> m_candidates;  ///< by the id without its version
  std::vector<Subject> m_subjects;
};

struct Ask {
  std::string artifact;                 ///< id of the one that is affected
  std::string version;                  ///< the smallest stated one that nothing means, else the best; may be empty
  std::vector<std::string> advisories;  ///< that mean this version as well: some have no fix
  std::string source = {};              ///< whose version it is, as Affected has it
};

/// For which version of an affected package to ask. A fix of one finding may be meant by another: what could be asked
/// for is matched as well.
class AskedVersions {
 public:
  /// @param findings that shall end. @param wanted ids of the affected. @param subjects those of the artifacts
  AskedVersions(const std::vector<Affected>& findings, const std::set<std::string>& wanted,
                const std::vector<Subject>& subjects);

  /// The stated fixes, by ids of this object's own: what has to be matched. Empty when nothing is stated.
  const std::vector<Subject>& subjects() const { return m_subjects; }
  /// By id, and for each in whose numbers fixes are stated; the best is what the fewest of the findings mean, and then
  /// the fewest others. @param matched what the match of subjects() gave, of findings that count
  std::vector<Ask> asks(const std::vector<Affected>& matched) const;

 private:
  struct Stated {
    std::string subject;  ///< its id in m_subjects
    std::string version;
  };
  struct Package {
    std::set<std::string> findings;  ///< their subjects
    std::vector<Stated> stated;      ///< the smallest version first
  };
  std::map<std::pair<std::string, std::string>, Package> m_packages;  ///< by id and source
  std::vector<Subject> m_subjects;
};

}  // namespace liftlock::advisory
