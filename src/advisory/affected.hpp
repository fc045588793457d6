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
  bool without_epoch = false;  ///< nobody knows it: epochs of records do not count either. Of RPM sources

  bool operator==(const KnownPackage&) const = default;
};

/// Several names for one artifact where records use either: RPM packages by their own name and by their source's; debs
/// of which nobody states the archive as Debian's and as Ubuntu's; an engine by the sources of the .debs in it.
/// Empty for kinds of which OSV has no ecosystem (models, images, files), and for RPM packages of other vendors.
std::vector<KnownPackage> known_packages(const Artifact& artifact);

struct Verdict {
  bool affected = false;
  std::vector<std::string> fixed;  ///< the stated versions above it, the smallest first; at most k_max_fixed
};
inline constexpr std::size_t k_max_fixed = 20;

/// Is this version of the package meant? Ranges of an ecosystem whose order is not known here do not count; the
/// versions that are named do, and then `fixed` is all that the ranges state, in their order.
Verdict judge(const AffectedPackage& package, const KnownPackage& known);

/// Versions of an ecosystem in its own order; nullopt where it is not known here.
std::optional<bool> is_earlier(std::string_view ecosystem, std::string_view a, std::string_view b);

struct Affected {
  std::string artifact;  ///< its id
  std::string advisory;
  std::string subject;               ///< the CVE, where the record is about one; else the advisory: what is told once
  std::vector<std::string> aliases;  ///< with what the record calls upstream
  std::string severity;
  std::string summary;
  std::vector<std::string> fixed;  ///< as Verdict's, of all databases
  std::string source = {};         ///< whose versions these are: source_name(); the package's own are taken before it
};

/// An artifact, and what OSV calls it; one for each name.
struct Subject {
  std::string id;
  KnownPackage known;
};
/// The source package ("lvm2") where the subject's version is not the artifact's own, so that what fixes it is stated
/// in other numbers; else empty.
std::string source_name(const Subject& subject);
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
