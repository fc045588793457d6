// Low side: a client of an ecosystem, run where there is no network at all: not even a route to ask, nor a daemon in
// /run that would ask in its place.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace liftlock {

/// The command that runs `argv` in an empty network namespace, with nothing in /run and /var/run but removable media
/// and the working folder, and without the variables that name sockets of daemons (DOCKER_HOST, SSH_AUTH_SOCK and
/// their like): by unshare(1) and mount(8) of util-linux, as root or, through a user namespace, as anybody. Sockets
/// that have a name elsewhere in the file system stay where they are.
/// @param working_folder where it will be run; empty: ours
/// @throws Error{sandbox_unavailable} where the kernel allows neither
std::vector<std::string> without_network(std::vector<std::string> argv,
                                         const std::filesystem::path& working_folder = {});

}  // namespace liftlock
