#include "gateway/model_access.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "engine/named_models.hpp"

namespace liftlock {
namespace {

/// Nothing is known of what runs on other machines.
ollama::ModelCard remote_card(const pool::Model& model) {
  ollama::ModelCard card;
  card.name = model.name;
  card.model = model.name;
  card.digest = std::string(64, '0');  // Ollama's clients cut a piece of it
  return card;
}

}  // namespace

ModelAccess::ModelAccess(const fs::path& catalog_file, const fs::path& aliases_file,
                         std::map<std::string, std::string> roles, Parts parts)
    : m_parts(parts), m_models(catalog_file, aliases_file), m_names(std::move(roles), parts.pools) {}

ModelList::Cards ModelAccess::allowed(const Caller& caller) {
  ModelList::Cards out;
  for (const auto& card : *m_models.cards()) {
    if (may_ask(caller, card, false)) out.push_back(card);
  }
  for (const auto& model : m_parts.pools.models()) {
    const auto card = remote_card(model);
    if (may_ask(caller, card, true)) out.push_back(card);
  }
  for (const auto& [role, uri] : m_names.roles()) {
    const auto target = m_names.resolve(role);
    const auto found = std::find_if(out.begin(), out.end(), [&](const auto& card) { return card.name == target.name; });
    if (found == out.end()) continue;
    auto card = *found;
    card.name = role;
    out.push_back(std::move(card));
  }
  return out;
}

ModelList::Cards ModelAccess::loaded(const Caller& caller) {
  ModelList::Cards out;
  for (const auto& running : m_parts.host.running()) {
    for (auto card : allowed(caller)) {
      if ("sha256:" + card.digest != running.digest) continue;
      card.expires = running.expires;
      card.memory = running.memory;
      out.push_back(std::move(card));
    }
  }
  return out;
}

ModelAccess::Asked ModelAccess::asked(std::string_view named, const Caller& caller) {
  m_parts.gatekeeper.require_right(caller, Right::ask);
  Asked out{.target = m_names.resolve(named), .model = {}, .offer = {}};
  const bool remote = out.target.remote != nullptr;
  if (!remote) out.offer = offer(out.target.name);
  out.model = remote ? out.target.name : out.offer->model;  // what is loaded, whatever it is called
  m_parts.gatekeeper.require_model(caller, out.model);
  require_label(caller, out.model, remote);
  return out;
}

ollama::ModelCard ModelAccess::card(std::string_view named, const Caller& caller) {
  const auto [target, model, offer] = asked(named, caller);
  auto card = target.remote != nullptr ? remote_card(*target.remote) : local_card(target.name);
  if (offer) card.defaults = offer->named->defaults;
  card.name = catalog_name(named);
  return card;
}

void ModelAccess::require_label(const Caller& caller, std::string_view model, bool remote) const {
  if (remote) {
    m_parts.labels.require_remote(caller.key.label, model);
  } else {
    m_parts.labels.require_local(caller.key.label, model);
  }
}

bool ModelAccess::may_ask(const Caller& caller, const ollama::ModelCard& card, bool remote) const {
  try {
    m_parts.gatekeeper.require_model(caller, remote ? card.name : card.model);
    require_label(caller, card.model, remote);
    return true;
  } catch (const Error&) {
    return false;
  }
}

engine::Offer ModelAccess::offer(const std::string& model) {
  try {
    return m_parts.host.offer(model);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::not_found, fmt::format("there is no model '{}' here", printable(model)),
                "list the models with GET /v1/models");
  }
}

ollama::ModelCard ModelAccess::local_card(const std::string& model) {
  const auto cards = m_models.cards();
  const auto found = std::find_if(cards->begin(), cards->end(), [&](const auto& card) { return card.name == model; });
  if (found == cards->end()) fail(ErrorCode::not_found, "there is no model '{}' here", printable(model));
  return *found;
}

}  // namespace liftlock
