#include "bundle/inspect_all.hpp"

#include <nlohmann/json.hpp>

#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

class Run {
 public:
  Run(const std::vector<Artifact>& artifacts, const Inspect& inspect, const OpenChecked& open, Catalog& catalog)
      : m_artifacts(artifacts), m_inspect(inspect), m_open(open), m_catalog(catalog), m_facts(artifacts.size()) {
    for (std::size_t i = 0; i < artifacts.size(); ++i) {
      const auto facts = recall(key_of(artifacts[i]));
      if (facts) {
        m_facts[i] = *facts;
      } else {
        m_new.push_back(i);
        plan_files(artifacts[i]);
      }
    }
  }

  std::vector<std::string> finish(Reporter& reporter) {
    ProgressTask progress(reporter, "inspect", Unit::items, m_files.size() + m_new.size());
    std::vector<Inspection> files(m_files.size());
    parallel_for(m_files.size(), [&](std::size_t i) {
      files[i] = m_inspect.file(m_files[i].kind, m_open(m_files[i].digest).get());
      progress.advance(1);
    });
    for (std::size_t i = 0; i < m_files.size(); ++i) {
      const auto& file = m_files[i];
      if (files[i].findings.empty()) remember(key_of(file.kind, file.digest), dump_json_line(files[i].facts));
      m_known[file.kind].emplace(file.digest, std::move(files[i]));
    }
    parallel_for(m_new.size(), [&](std::size_t i) {
      const auto& artifact = m_artifacts[m_new[i]];
      const auto inspection = m_inspect.artifact(artifact, m_open, known_of(artifact));
      if (!inspection.findings.empty()) {
        const auto& finding = inspection.findings[0];
        // A data set is converted to other formats than a model.
        const bool data = artifact.kind == "dataset" && finding.code == ErrorCode::model_unsafe_format;
        throw Error(finding.code, fmt::format("{}: '{}': {}", printable(artifact.id()), finding.path, finding.message),
                    data ? "carry the data as Parquet, CSV or JSON Lines, and leave out what is code: `exclude`, or a "
                           "narrower `include`"
                         : "");
      }
      auto facts = inspection.facts.empty() ? std::string() : dump_json_line(inspection.facts);
      // What the catalog does not keep is not held until then either: there may be many, and each as long as it likes.
      if (facts.size() <= Catalog::k_max_facts) m_facts[m_new[i]] = std::move(facts);
      progress.advance(1);
    });
    for (const auto i : m_new) remember(key_of(m_artifacts[i]), m_facts[i]);
    m_catalog.add_passed(m_passed);
    return std::move(m_facts);
  }

 private:
  struct File {
    std::string kind;
    Digest digest;
  };

  Digest key_of(const Artifact& artifact) const {
    return sha256(fmt::format("artifact\n{}\n{}", m_inspect.version, artifact_line(artifact)));
  }
  Digest key_of(std::string_view kind, const Digest& file) const {
    return sha256(fmt::format("file\n{}\n{}\n{}", m_inspect.version, kind, file.text()));
  }
  std::optional<std::string> recall(const Digest& key) const {
    return m_inspect.version.empty() ? std::nullopt : m_catalog.passed(key);
  }
  void remember(const Digest& key, const std::string& facts) {
    if (!m_inspect.version.empty()) m_passed.emplace_back(key, facts);
  }

  /// Each file that stands alone once: known from before, or to be inspected.
  void plan_files(const Artifact& artifact) {
    if (!m_inspect.alone) return;
    for (const auto index : m_inspect.alone(artifact)) {
      const auto& digest = artifact.files[index].digest;
      if (!m_planned.emplace(artifact.kind, digest).second) continue;
      if (const auto facts = recall(key_of(artifact.kind, digest))) {
        m_known[artifact.kind].emplace(digest, Inspection{.findings = {}, .facts = parse_json(*facts)});
      } else {
        m_files.push_back({artifact.kind, digest});
      }
    }
  }

  FileInspections known_of(const Artifact& artifact) const {
    FileInspections out;
    const auto known = m_known.find(artifact.kind);
    if (known == m_known.end()) return out;
    for (const auto& file : artifact.files) {
      const auto found = known->second.find(file.digest);
      if (found != known->second.end()) out.insert(*found);
    }
    return out;
  }

  const std::vector<Artifact>& m_artifacts;
  const Inspect& m_inspect;
  const OpenChecked& m_open;
  Catalog& m_catalog;
  std::vector<std::string> m_facts;
  std::vector<std::size_t> m_new;  ///< indexes of artifacts that are to be inspected
  std::vector<File> m_files;       ///< to be inspected by themselves
  std::set<std::pair<std::string, Digest>> m_planned;
  std::map<std::string, FileInspections> m_known;  ///< by kind
  std::vector<std::pair<Digest, std::string>> m_passed;
};

}  // namespace

std::vector<std::string> inspect_all(const std::vector<Artifact>& artifacts, const Inspect& inspect,
                                     const OpenChecked& open, Catalog& catalog, Reporter& reporter) {
  return Run(artifacts, inspect, open, catalog).finish(reporter);
}

}  // namespace liftlock
