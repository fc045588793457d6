// An installed engine, and one process of it: in the sandbox of os/sandbox.hpp, with its model bound from the very
// descriptor that was checked, answering on a Unix socket.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/package.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/sandbox.hpp"

namespace liftlock::engine {

struct InstalledEngine {
  EngineManifest manifest;
  fs::path folder;
};

/// NAME/VERSION-VARIANT below the engines folder of an installation.
fs::path folder_of(const fs::path& engines, const EngineManifest& manifest);
/// Everything that is installed, sorted by name and version.
std::vector<InstalledEngine> installed_engines(const fs::path& engines);
/// The newest installed engine of that name (by version text), or the one whose folder name is given after a slash.
/// @throws Error{not_found}
InstalledEngine find_engine(const fs::path& engines, const std::string& name);
/// The newest installed engine with this executable. @throws Error{engine_unavailable} when there is none
InstalledEngine newest_engine_with(const fs::path& engines, const std::string& executable);
/// Can its llama.cpp load models of this architecture? Its library holds the names of those it knows; true when it has
/// no such library to look into. @throws Error{io_error}
bool knows_architecture(const InstalledEngine& engine, std::string_view architecture);

/// A file shown to the engine read-only, by the path it has inside.
struct SharedFile {
  std::string path;
  UniqueFd file;
};

/// The sandbox of an engine, without a program yet.
/// @param run_folder for its socket; made, and removed by the caller
SandboxSpec sandbox_for(const InstalledEngine& engine, const std::vector<SharedFile>& files, const fs::path& run_folder,
                        const fs::path& log);

/// llama-server with a model: everything is said on its command line, nothing is left to its defaults that could reach
/// out.
std::vector<std::string> llama_server_arguments(const InstalledEngine& engine, const std::string& model_path,
                                                const std::string& alias);

inline constexpr std::string_view k_socket_name = "engine.sock";

/// Does an engine answer GET /health with 200 over this socket?
bool is_healthy(const fs::path& socket, std::chrono::milliseconds patience);

/// Waits until the engine is healthy.
/// @param given_up asked in between; may be empty
/// @throws Error{engine_failed} when it ends, stays silent, or was given up; the message holds the last lines of its
/// log
void wait_until_ready(Sandbox& sandbox, std::chrono::seconds patience, const std::function<bool()>& given_up = {});

/// A folder for sockets, short enough for sun_path: /run/liftlock/NAME-PID for root, else below XDG_RUNTIME_DIR or
/// /tmp.
fs::path run_folder_for(const std::string& name);

}  // namespace liftlock::engine
