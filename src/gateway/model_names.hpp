// What the `model` of a request leads to: a model of the store, or one of a pool, by its name, its URI or a role that
// the site gave it. Nothing is ever fetched by a name.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "pool/pools.hpp"

namespace liftlock {

struct ModelTarget {
  std::string name;                     ///< the catalog's, or POOL/MODEL: what keys are for, and what records say
  const pool::Model* remote = nullptr;  ///< nullptr: of this machine
};

class ModelNames {
 public:
  /// @param roles "cognitive.scout" → "local://NAME" or "pool://POOL/MODEL"
  /// @param pools must outlive the names
  /// @throws Error{config_invalid} for a role that leads to no URI, or to a pool that is not there
  ModelNames(std::map<std::string, std::string> roles, const pool::Pools& pools);

  /// Whether the store has a model of that name is not looked up.
  /// @throws Error{bad_request} for a URI with another scheme; Error{not_found} for a pool's model that is not there
  ModelTarget resolve(std::string_view asked) const;
  /// Role and URI.
  const std::map<std::string, std::string>& roles() const { return m_roles; }

 private:
  std::map<std::string, std::string> m_roles;
  const pool::Pools& m_pools;
};

/// What a client calls a model, as the catalog does: without the tag ":latest" of Ollama's clients.
std::string_view catalog_name(std::string_view name);

}  // namespace liftlock
