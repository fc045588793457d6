#include "engine/named_models.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "engine/load_gate.hpp"

namespace liftlock::engine {
namespace {

constexpr std::chrono::seconds k_names_stay{1};

}  // namespace

NamedModels::NamedModels(const fs::path& catalog_file, fs::path aliases_file, unsigned context, unsigned slots,
                         ModelMemory memory)
    : m_catalog(catalog_file, Access::read),
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
  return m_known[name] = std::make_shared<NamedModel>(
             NamedModel{std::move(artifact), std::move(facts), std::move(key), need, task});
}

}  // namespace liftlock::engine
