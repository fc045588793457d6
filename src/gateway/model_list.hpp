// The models that the store holds, as the APIs list them.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "engine/choices.hpp"
#include "gateway/ollama.hpp"
#include "os/file.hpp"
#include "store/catalog.hpp"

namespace liftlock {

/// Safe with several threads. Reads the catalog anew within a quarter of a second when it changed.
class ModelList {
 public:
  ModelList(const fs::path& catalog_file, const fs::path& aliases_file)
      : m_catalog(catalog_file), m_aliases(aliases_file) {}

  using Cards = std::vector<ollama::ModelCard>;
  /// Aliases, and names as the catalog has them; sorted, each once: an alias wins, then the newest.
  std::shared_ptr<const Cards> cards();

 private:
  std::mutex m_mutex;
  const Catalog m_catalog;  ///< Access::write: a reader may have a copy, which stays as it is
  std::chrono::steady_clock::time_point m_looked;
  const engine::Choices m_aliases;
  std::shared_ptr<const engine::ChoiceMap> m_choices;
  std::uint64_t m_generation = 0;
  std::shared_ptr<const Cards> m_cards;
};

}  // namespace liftlock
