// Which artifacts does an advisory mean? OSV's algorithm (schema, "Evaluation"), with each ecosystem's own order of
// versions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "advisory/osv.hpp"
#include "artifact/artifact.hpp"

namespace liftlock::advisory {

/// What an artifact is called in OSV.
struct KnownPackage {
  std::string ecosystem;  ///< without a release: "Debian"
  std::string release;    ///< "12"; empty when the ecosystem has none
  std::string name;
  std::string version;
};

/// nullopt for kinds of which OSV has no ecosystem (models, images, files).
std::optional<KnownPackage> known_package(const Artifact& artifact);

struct Verdict {
  bool affected = false;
  std::string fixed;  ///< the smallest fixed version above it; empty when none is stated
};

/// Is this version of the package meant? Ranges of an ecosystem whose order is not known here (Maven) do not count; the
/// versions that are named do.
Verdict judge(const AffectedPackage& package, const KnownPackage& known);

/// Versions of an ecosystem in its own order; nullopt where it is not known here.
std::optional<bool> is_earlier(std::string_view ecosystem, std::string_view a, std::string_view b);

struct Affected {
  std::string artifact;  ///< its id
  std::string advisory;
  std::vector<std::string> aliases;
  std::string severity;
  std::string summary;
  std::string fixed;
};

/// An artifact, and what OSV calls it.
struct Subject {
  std::string id;
  KnownPackage known;
};
/// Those of which OSV has an ecosystem.
std::vector<Subject> subjects_of(const std::vector<Artifact>& artifacts);

/// Collects, advisory by advisory, which of some artifacts are meant. Not thread-safe.
class AffectedArtifacts {
 public:
  explicit AffectedArtifacts(const std::vector<Subject>& subjects);

  void consider(const Advisory& advisory);
  std::size_t considered() const { return m_considered; }
  /// The worst first, then by artifact. What several databases say of one CVE (or one alias) is told once.
  std::vector<Affected> result() const;

 private:
  std::multimap<std::pair<std::string, std::string>, Subject> m_by_name;  ///< of ecosystem and name
  std::map<std::pair<std::string, std::string>, Affected> m_found;        ///< of artifact and CVE
  std::size_t m_considered = 0;
};

}  // namespace liftlock::advisory
