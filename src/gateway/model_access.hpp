// The models that a caller may ask: what a name leads to, and what is listed. Keys and labels decide.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "access/gatekeeper.hpp"
#include "access/labels.hpp"
#include "engine/model_host.hpp"
#include "gateway/model_list.hpp"
#include "gateway/model_names.hpp"
#include "os/file.hpp"
#include "pool/pools.hpp"

namespace liftlock {

/// Safe with several threads.
class ModelAccess {
 public:
  /// All outlive the object.
  struct Parts {
    engine::ModelHost& host;
    const pool::Pools& pools;
    const Gatekeeper& gatekeeper;
    const Labels& labels;
  };
  /// @param aliases_file engine::Choices
  /// @param roles as ModelNames takes them
  /// @throws Error{config_invalid} for a role that leads nowhere
  ModelAccess(const fs::path& catalog_file, const fs::path& aliases_file, std::map<std::string, std::string> roles,
              Parts parts);

  struct Asked {
    ModelTarget target;
    std::string model;                   ///< its name in the catalog, or POOL/MODEL
    std::optional<engine::Offer> offer;  ///< of one that is not remote
  };
  /// A model that is not for this caller is told apart from one that is not there by those who list models only.
  /// @throws Error{forbidden, not_found, ambiguous, bad_request}
  Asked asked(std::string_view named, const Caller& caller);

  /// The same, as the APIs describe it: under the name that was asked for.
  ollama::ModelCard card(std::string_view named, const Caller& caller);
  /// Of the store, of pools, and the roles that lead to one of these.
  ModelList::Cards allowed(const Caller& caller);
  /// Those of the store that an engine holds now, with its memory and its end.
  ModelList::Cards loaded(const Caller& caller);

 private:
  /// @param model its name in the catalog, or POOL/MODEL. @throws Error{forbidden}
  void require_label(const Caller& caller, std::string_view model, bool remote) const;
  bool may_ask(const Caller& caller, const ollama::ModelCard& card, bool remote) const;
  engine::Offer offer(const std::string& model);
  ollama::ModelCard local_card(const std::string& model);

  const Parts m_parts;
  ModelList m_models;
  const ModelNames m_names;
};

}  // namespace liftlock
