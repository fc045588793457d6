// What people put on their machines so that container clients pull from the mirror.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace liftlock::oci {

/// Text for containerd, podman, skopeo and docker. @param hosts registries that the mirror stands in for
std::string client_text(std::string_view base_url, const std::set<std::string>& hosts, std::string_view example_image);

}  // namespace liftlock::oci
