// How artifacts and publications look to people and in --json; shared by the store's commands.
#pragma once

#include <string>

#include "artifact/artifact.hpp"
#include "base/json.hpp"
#include "base/reporter.hpp"
#include "site/site.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace liftlock {

/// The store of an installation, opened for one command.
struct OpenStore {
  /// @throws Error{state_missing} when there is no installation, Error{wrong_user} as Site::require_own()
  OpenStore(const Site& site, std::string_view command, Access access);
  BlobStore blobs;
  Catalog catalog;
};

/// What inspection learnt, a line for each plain value; lists of plain values are joined. Deeper things are left to
/// --json. @param width of the keys
std::string facts_text(const Json& facts, std::size_t width);
/// "demo/7, demo/8, set base"; of many the last few "and 4 more".
std::string describe_holders(const std::vector<std::string>& holders);
/// @throws Error{blob_corrupt} for what scrub put into quarantine, Error{not_fetched} on the low side and
/// Error{not_found} elsewhere for what the store lacks; each says where it can be had again
void require_blobs(const Site& site, const OpenStore& store, const Artifact& artifact);
/// @throws Error{not_found} with a suggestion when the store has nothing of this id or name
Artifact require_artifact(const Catalog& catalog, std::string_view id_or_name);
/// Says so where bundles brought other bytes under the same id, and how each is named; nothing where the artifact was
/// named by its content.
void warn_of_other_contents(const Catalog& catalog, const Artifact& artifact, std::string_view named,
                            Reporter& reporter);

/// A positional argument that require_artifact() takes. Completion offers ids of the store.
CLI::Option* add_artifact_argument(CLI::App& command, const std::string& word, std::string& value);
/// The same for models. @param besides what else it may be: "alias"
CLI::Option* add_model_argument(CLI::App& command, const std::string& word, std::string& value,
                                std::string_view besides = {});
/// The licence as its ecosystem states it, else as the artifact's own metadata does; empty when nothing does.
std::string license_of(const Catalog& catalog, const Artifact& artifact);
/// What [labels.models] of config.toml says of a model; "-" where it says nothing.
std::string label_of(const Site& site, const Artifact& model);

}  // namespace liftlock
