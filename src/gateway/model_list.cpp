#include "gateway/model_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_task.hpp"

namespace liftlock {
namespace {

/// What was published meanwhile is known so much later; aliases count at once.
constexpr std::chrono::milliseconds k_stay{250};

std::string text_of(const Json& facts, const char* key) {
  const auto found = facts.find(key);
  return found != facts.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& facts, const char* key) {
  const auto found = facts.find(key);
  return found != facts.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

ollama::ModelCard card_of(const Artifact& model, const Json& facts) {
  ollama::ModelCard card;
  card.name = model.name;
  card.model = model.name;
  card.digest = engine::main_digest(model).hex();
  card.size = model.total_size();
  card.licence = model.license.empty() ? text_of(facts, "license") : model.license;
  card.architecture = text_of(facts, "architecture");
  card.quantisation = text_of(facts, "quantisation");
  card.parameter_count = number_of(facts, "parameters");
  if (card.parameter_count != 0) card.parameters = format_count(card.parameter_count);
  card.context = number_of(facts, "context_length");
  const auto task = engine::task_of(facts);
  card.embedding = task == engine::ModelTask::embeddings || task == engine::ModelTask::reranking;
  card.vision = engine::has_projector(model);
  // llama.cpp brings calls of tools into the form of any template.
  card.tools = !card.embedding && facts.contains("chat_template");
  return card;
}

/// When the catalog got it last, by "CHANNEL/SEQUENCE" of its publications.
Timestamp published(const Catalog& catalog, const std::map<std::string, Timestamp>& times, const Artifact& model) {
  Timestamp last{};
  for (const auto& holder : catalog.holders(model.id())) {
    if (const auto found = times.find(holder); found != times.end()) last = std::max(last, found->second);
  }
  return last;
}

}  // namespace

std::shared_ptr<const ModelList::Cards> ModelList::cards() {
  const std::lock_guard lock(m_mutex);
  const auto now = std::chrono::steady_clock::now();
  auto choices = m_aliases.all();
  if (m_cards && choices == m_choices && now - m_looked < k_stay) return m_cards;
  m_looked = now;
  const auto generation = m_catalog.generation();
  if (m_cards && generation == m_generation && choices == m_choices) return m_cards;
  std::map<std::string, Timestamp> times;
  for (const auto& one : m_catalog.publications()) {
    times.emplace(fmt::format("{}/{}", one.channel, one.sequence), one.published_at);
  }
  const auto describe = [&](const Artifact& artifact) {
    auto card = card_of(artifact, m_catalog.inspection(artifact));
    card.modified = published(m_catalog, times, artifact);
    return card;
  };
  std::map<std::string, ollama::ModelCard> by_name;  // versions rise: the last one wins
  for (const auto& artifact : m_catalog.artifacts()) {
    if (artifact.kind != "model" || artifact.files.empty()) continue;
    by_name.insert_or_assign(artifact.name, describe(artifact));
  }
  for (const auto& [alias, history] : *choices) {
    try {
      const auto artifact = engine::require_model(m_catalog, m_aliases, alias);
      auto card = describe(artifact);
      card.name = alias;
      by_name.insert_or_assign(alias, std::move(card));
    } catch (const Error&) {
      by_name.erase(alias);  // what it leads to is gone; who asks for it is told
    }
  }
  auto cards = std::make_shared<Cards>();
  for (auto& [name, card] : by_name) cards->push_back(std::move(card));
  m_cards = std::move(cards);
  m_choices = std::move(choices);
  m_generation = generation;
  return m_cards;
}

}  // namespace liftlock
