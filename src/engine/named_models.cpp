#include "engine/named_models.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/hub/repository.hpp"
#include "engine/load_gate.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

constexpr std::chrono::seconds k_names_stay{1};

/// Words that go to an engine with each request are as much of the model as its weights.
std::string checked_text(const BlobStore& store, const ArtifactFile& file) {
  auto text = read_all(store.open(file.digest).get(), ollama::k_max_defaults, file.path.text());
  if (sha256(text) != file.digest) {
    throw Error(ErrorCode::blob_corrupt, fmt::format("'{}' was changed in the store", printable(file.path.text())),
                "run `liftlock scrub`, then ingest the bundle again");
  }
  return text;
}

}  // namespace

ollama::Defaults defaults_of(const BlobStore& store, const Artifact& model) {
  std::vector<std::string> paths;
  std::map<std::string, const ArtifactFile*, std::less<>> files;
  for (const auto& file : model.files) {
    const auto path = hub::path_in_model(file);
    if (ollama::holds_defaults(path) && file.size > ollama::k_max_defaults) continue;
    paths.emplace_back(path);
    files.emplace(path, &file);
  }
  return ollama::defaults_of(paths,
                             [&](std::string_view path) { return checked_text(store, *files.find(path)->second); });
}

NamedModels::NamedModels(const BlobStore& store, const fs::path& catalog_file, fs::path aliases_file, unsigned context,
                         unsigned slots, ModelMemory memory)
    : m_store(store),
      m_catalog(catalog_file),
      m_aliases(std::move(aliases_file)),
      m_context(context),
      m_slots(slots),
      m_memory(memory) {}

std::shared_ptr<const NamedModel> NamedModels::find(const std::string& name) {
  const std::lock_guard lock(m_mutex);
  // An alias that was put elsewhere counts from the next request on.
  if (auto choices = m_aliases.all(); choices != m_choices) {
    m_known.clear();
    m_choices = std::move(choices);
  }
  if (const auto when = std::chrono::steady_clock::now(); when - m_looked > k_names_stay) {
    const auto generation = m_catalog.generation();
    if (generation != m_generation) m_known.clear();
    m_generation = generation;
    m_looked = when;
  }
  if (const auto at = m_known.find(name); at != m_known.end()) return at->second;
  auto artifact = require_model(m_catalog, m_aliases, name);
  auto facts = m_catalog.inspection(artifact);
  auto key = artifact.id() + " " + main_digest(artifact).hex();
  const auto need = memory_need(artifact, facts, m_context, m_slots, m_memory);
  const auto task = task_of(facts);
  auto defaults = defaults_of(m_store, artifact);
  return m_known[name] = std::make_shared<NamedModel>(
             NamedModel{std::move(artifact), std::move(facts), std::move(key), need, task, std::move(defaults)});
}

}  // namespace liftlock::engine
