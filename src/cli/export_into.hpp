// `export --into`: an image of the store into the container engine of this host, through the engine's own program.
#pragma once

#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "cli/command.hpp"
#include "cli/store_view.hpp"

namespace liftlock {

/// Those that are known: "podman", "docker", "ctr".
std::vector<std::string> local_engines();

/// Gives the image to the engine on the standard input of its program, and prints the name and the digest that it has
/// there. Nothing is sent where the engine has all of it under that name already; what else has the name loses it, as
/// tags do. The user's own environment says which engine the program talks to.
/// @param image_name as full_image_name()
/// @throws Error{usage} for an engine that is not known, or a name that it cannot have; Error{tool_missing,
/// tool_failed};
///         Error{digest_mismatch} where the engine then has something else under the name; Error{blob_corrupt}
void export_into(Invocation& invocation, const OpenStore& store, const Artifact& image, const std::string& engine,
                 const std::string& image_name);

}  // namespace liftlock
