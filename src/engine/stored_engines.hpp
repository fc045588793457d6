// Engine packages that the store holds, by the names that people call them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "store/catalog.hpp"

namespace liftlock::engine {

/// The name of the engine that the package is installed as: "llama", where the artifact is "llama-vulkan".
std::string engine_in(const Artifact& package);

/// Sorted by id.
std::vector<Artifact> stored_engines(const Catalog& catalog);

/// Of those that fit the one of the highest version, in which numbers count as numbers: 8941 is older than 10470. Of
/// several contents under its id the one that landed last.
std::optional<Artifact> newest_of(const Catalog& catalog, const std::vector<Artifact>& artifacts,
                                  const std::function<bool(const Artifact&)>& fits);

/// By its id, by its name, or by the engine's own, where packages of one variant only have that. Of several versions
/// the newest, as newest_of() does. @throws Error{ambiguous} naming the variants
std::optional<Artifact> find_stored_engine(const Catalog& catalog, std::string_view name);

}  // namespace liftlock::engine
