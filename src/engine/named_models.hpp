// What the names of models lead to, as the catalog and the aliases have them now.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "artifact/artifact.hpp"
#include "base/json.hpp"
#include "ecosystem/ollama/defaults.hpp"
#include "engine/choices.hpp"
#include "engine/memory_need.hpp"
#include "engine/model_task.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock::engine {

/// What a name led to.
struct NamedModel {
  Artifact artifact;
  Json facts;       ///< what the inspector learnt of it
  std::string key;  ///< id and digest: two names of one model have one
  MemoryNeed need;
  ModelTask task;
  ollama::Defaults defaults;
};

/// What a model brings for conversations with it; its bytes are hashed as they are read.
/// @throws Error{blob_corrupt, not_found}
ollama::Defaults defaults_of(const BlobStore& store, const Artifact& model);

/// Safe with several threads. Reads the catalog at most once a second while nothing changes.
class NamedModels {
 public:
  /// @param store outlives the object
  /// @param aliases_file Choices
  /// @param context, slots, memory as memory_need() takes them
  NamedModels(const BlobStore& store, const fs::path& catalog_file, fs::path aliases_file, unsigned context,
              unsigned slots, ModelMemory memory);

  /// @throws Error{not_found, ambiguous, blob_corrupt}
  std::shared_ptr<const NamedModel> find(const std::string& name);

 private:
  std::mutex m_mutex;
  const BlobStore& m_store;
  Catalog m_catalog;  ///< Access::write: a reader may have a copy, which stays as it is
  const Choices m_aliases;
  const unsigned m_context, m_slots;
  const ModelMemory m_memory;
  std::shared_ptr<const ChoiceMap> m_choices;
  std::uint64_t m_generation = 0;
  std::chrono::steady_clock::time_point m_looked{};
  std::map<std::string, std::shared_ptr<const NamedModel>> m_known;
};

}  // namespace liftlock::engine
