// What the engine commands share.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "engine/engine_process.hpp"
#include "engine/machine.hpp"
#include "os/sandbox.hpp"

namespace liftlock {

enum class Replace : std::uint8_t { no, yes };
/// Makes the engine the default of each format that it loads (with Replace::no of those that have none), an audit event
/// each; none where this machine cannot run it, which is said. Returns these formats.
std::vector<std::string> make_default(Invocation& invocation, const Site& site, const engine::InstalledEngine& one,
                                      Replace replace);

/// What of this machine the engine leaves unused, beside its variants that are installed or in the store.
std::vector<std::string> left_unused(const Site& site, const engine::InstalledEngine& one,
                                     const engine::Machine& machine);

/// Waits until the sandbox ends, or SIGINT or SIGTERM asks us to end it. Returns its exit status, 0 when we were asked.
int wait_for_end(Sandbox& sandbox);
/// Blocks the signals that wait_for_end() takes; call before threads or sandboxes are started.
void block_end_signals();

}  // namespace liftlock
