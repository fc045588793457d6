// The user's own registry credentials, where all clients keep them: containers' auth.json and Docker's config.json.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::oci {

struct RegistryLogin {
  std::string user;
  std::string password;
};

/// The files that are asked, in order: `authfile` alone when it is given; else $REGISTRY_AUTH_FILE alone when it is
/// set; else $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json (~/.config), and
/// $DOCKER_CONFIG/config.json (~/.docker).
std::vector<std::filesystem::path> credential_files(const std::filesystem::path& authfile);

/// The login for HOST[:PORT]/REPOSITORY: the most specific key of "auths" ("host/team/app", "host/team", "host"), else
/// the "credHelpers" of the host, else "credsStore", through the docker-credential-NAME protocol. nullopt: none is
/// known.
/// @throws Error{config_invalid} a file that is malformed, or a kind of login that is not supported (identity tokens)
std::optional<RegistryLogin> find_login(const std::vector<std::filesystem::path>& files, std::string_view host,
                                        std::string_view repository);

}  // namespace liftlock::oci
