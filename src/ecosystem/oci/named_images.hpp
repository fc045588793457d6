// Which images does a file of Kubernetes objects or a compose file ask for? Its keys "image" with a name beside them
// are read, in YAML's block and flow style and in JSON, not the whole of YAML: a name on the next line or behind an
// alias is not seen, and what a template or a variable makes of it is nobody's to know before it runs.
#pragma once

#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "ecosystem/oci/reference.hpp"

namespace liftlock::oci {

/// Each once, in the order of their lines; at most 1000. Lines with "{{" or "$", and what is no image name, are left
/// out.
std::vector<Reference> images_named_in(std::string_view yaml);

/// Is the artifact, of kind image, what the reference asks for? An official image may be written with or without
/// "library/". The registry must be the image's own; it counts as that where the image has none (an archive), where its
/// name was given in the stack, and where the mirror's name of it has the registry in it ("MIRROR/quay.example/a/b").
bool is_asked_for(const Artifact& image, const Reference& reference);

}  // namespace liftlock::oci
