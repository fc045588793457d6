// Puts an engine package beside others, after the machine was judged and the engine was asked what it can do.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "audit/audit_log.hpp"
#include "engine/engine_process.hpp"
#include "engine/machine.hpp"

namespace liftlock::engine {

enum class Unsuited : std::uint8_t { refuse, install };

/// The folder appears whole or not at all, and not before its programs answered --help in the sandbox, without network.
/// @param tar_fd a package whose bytes were checked
/// @param unsuited what to do with a variant that this machine cannot run; an engine that does not start, or that lacks
///        an option that we need, is refused in any case
/// @param listed is told the engine's full name and the list of its files (engine_files.hpp), right before it appears
/// @throws Error{engine_unfit, immutable}, what unpack_engine() and Sandbox throw
InstalledEngine install_engine(int tar_fd, const fs::path& engines, EngineFacts facts, const Machine& machine,
                               Unsuited unsuited,
                               const std::function<void(const std::string&, std::string_view)>& listed = {});

/// The same, with `event` in the log around it, and engine.files, without which no start believes the list. The event
/// gets a remark where the machine cannot run what is installed all the same.
InstalledEngine install_engine(AuditLog& log, const AuditEvent& event, int tar_fd, const fs::path& engines,
                               EngineFacts facts, const Machine& machine, Unsuited unsuited);

}  // namespace liftlock::engine
