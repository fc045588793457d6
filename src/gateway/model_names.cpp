#include "gateway/model_names.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_local = "local://";
constexpr std::string_view k_pool = "pool://";

}  // namespace

std::string_view catalog_name(std::string_view name) {
  constexpr std::string_view k_latest = ":latest";
  if (name.ends_with(k_latest)) name.remove_suffix(k_latest.size());
  return name;
}

ModelNames::ModelNames(std::map<std::string, std::string> roles, const pool::Pools& pools)
    : m_roles(std::move(roles)), m_pools(pools) {
  for (const auto& [role, uri] : m_roles) {
    const bool known = uri.starts_with(k_local) || (uri.starts_with(k_pool) && m_pools.find(uri.substr(k_pool.size())));
    if (known && role.find("://") == std::string::npos) continue;
    throw Error(
        ErrorCode::config_invalid,
        fmt::format("config.toml: the role '{}' leads to '{}', which is no model", printable(role), printable(uri)),
        "a role is local://NAME, or pool://POOL/MODEL of a [pool.POOL] with that model");
  }
}

ModelTarget ModelNames::resolve(std::string_view asked) const {
  auto name = catalog_name(asked);
  if (const auto role = m_roles.find(std::string(name)); role != m_roles.end()) name = role->second;
  if (name.starts_with(k_local)) return {std::string(name.substr(k_local.size())), nullptr};
  const bool of_pool = name.starts_with(k_pool);
  if (of_pool) name.remove_prefix(k_pool.size());
  if (!of_pool && name.find("://") != std::string_view::npos) {
    throw Error(ErrorCode::bad_request, fmt::format("'{}' is no model of this installation", printable(name)),
                "models are named by NAME, local://NAME or pool://POOL/MODEL; none is fetched from elsewhere");
  }
  if (const auto* model = m_pools.find(name)) return {model->name, model};
  if (of_pool) {
    throw Error(ErrorCode::not_found, fmt::format("there is no model '{}' in the pools", printable(name)),
                "list the models with GET /v1/models");
  }
  return {std::string(name), nullptr};
}

}  // namespace liftlock
