// Into a chat template a conversation is written before the model reads it: with another one a model is asked something
// else. Nobody here judges one; that it is another one is told before anybody uses it.
#pragma once

#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "store/catalog.hpp"

namespace liftlock {

/// For people: the models that do not have the template of any that is in use under their name, whatever its version.
/// Of names that are new, or in use without a template, nothing is said.
/// @param facts of each of the artifacts, as inspect_all() returned them
std::vector<std::string> other_templates(const Catalog& catalog, const std::vector<Artifact>& artifacts,
                                         const std::vector<std::string>& facts);

}  // namespace liftlock
