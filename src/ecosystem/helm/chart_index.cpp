#include "ecosystem/helm/chart_index.hpp"

#include <nlohmann/json.hpp>

#include "ecosystem/helm/inspector.hpp"

namespace liftlock::helm {

bool ChartIndex::add(const Artifact& artifact, std::string_view created) {
  const auto chart = artifact.facts.find("chart");
  if (artifact.kind != k_kind || artifact.files.size() != 1 || chart == artifact.facts.end() || !chart->is_object()) {
    return false;
  }
  const auto& file = artifact.files[0];
  auto metadata = *chart;
  if (!created.empty()) metadata["created"] = std::string(created);
  metadata["digest"] = file.digest.hex();
  m_owners[std::string(file.path.filename())].insert(artifact.name);
  m_entries.insert_or_assign(Key(artifact.name, artifact.version), Entry{std::move(metadata), file});
  return true;
}

std::string ChartIndex::url_of(const Key& key, const Entry& entry) const {
  const std::string filename(entry.file.path.filename());
  return m_owners.at(filename).size() > 1 ? key.first + "/" + filename : filename;
}

std::string ChartIndex::text(std::string_view generated) const {
  Json index = {{"apiVersion", "v1"}, {"entries", Json::object()}};
  if (!generated.empty()) index["generated"] = std::string(generated);
  for (const auto& [key, entry] : m_entries) {
    auto metadata = entry.metadata;
    metadata["urls"] = Json::array({url_of(key, entry)});
    index["entries"][key.first].push_back(std::move(metadata));
  }
  return dump_json(index);
}

std::map<std::string, ArtifactFile> ChartIndex::archives() const {
  std::map<std::string, ArtifactFile> out;
  for (const auto& [key, entry] : m_entries) out.insert_or_assign(url_of(key, entry), entry.file);
  return out;
}

PlainLayout chart_repository(std::span<const Artifact> artifacts) {
  ChartIndex index;
  for (const auto& artifact : artifacts) index.add(artifact);
  return {.files = index.archives(), .documents = {{"index.yaml", index.text()}}};
}

}  // namespace liftlock::helm
