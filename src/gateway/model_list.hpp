// The models that the store holds, as the APIs list them.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "gateway/ollama.hpp"
#include "os/file.hpp"

namespace liftlock {

/// Safe with several threads. Reads the catalog anew when it changed.
class ModelList {
 public:
  explicit ModelList(fs::path catalog_file) : m_catalog_file(std::move(catalog_file)) {}

  using Cards = std::vector<ollama::ModelCard>;
  /// Names as the catalog has them, sorted; each once, the newest.
  std::shared_ptr<const Cards> cards();

 private:
  fs::path m_catalog_file;
  std::mutex m_mutex;
  std::uint64_t m_generation = 0;
  std::shared_ptr<const Cards> m_cards;
};

/// What a client calls a model, as the catalog does: without the tag ":latest" of Ollama's clients.
std::string_view catalog_name(std::string_view name);

}  // namespace liftlock
