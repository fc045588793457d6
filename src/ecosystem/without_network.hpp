// Low side: a client of an ecosystem, run where there is no network at all: not even a route to ask.
#pragma once

#include <string>
#include <vector>

namespace liftlock {

/// The command that runs `argv` in an empty network namespace (util-linux unshare(1)), as root or, through a user
/// namespace, as anybody. @throws Error{sandbox_unavailable} where the kernel allows neither
std::vector<std::string> without_network(std::vector<std::string> argv);

}  // namespace liftlock
