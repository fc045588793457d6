// An installed engine, and one process of it: in the sandbox of os/sandbox.hpp, with its model bound from the very
// descriptor that was checked, answering on a Unix socket.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/choices.hpp"
#include "engine/engine_facts.hpp"
#include "engine/machine.hpp"
#include "engine/model_task.hpp"
#include "engine/package.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/sandbox.hpp"

namespace liftlock::engine {

/// Beside engine.json.
inline constexpr std::string_view k_facts_file = "installed.json";

struct InstalledEngine {
  EngineManifest manifest;
  fs::path folder;
  EngineFacts facts;  ///< empty flags: nobody asked
};

/// "llama.cpp/8941-cpu": how people and choices name it.
std::string full_name(const InstalledEngine& engine);
/// Of this executable; nullptr when nobody asked for them.
const Flags* flags_of(const InstalledEngine& engine, const std::string& executable);

/// A kind of model files, and the program that loads them.
struct ModelFormat {
  std::string_view name, executable;
};
/// "gguf" → llama-server, "ggml" → whisper-cli.
std::span<const ModelFormat> model_formats();

/// NAME/VERSION-VARIANT below the engines folder of an installation.
fs::path folder_of(const fs::path& engines, const EngineManifest& manifest);
/// Everything that is installed, sorted by name and version.
std::vector<InstalledEngine> installed_engines(const fs::path& engines);
/// The newest installed engine of that name (8941 is older than 10470), or the one whose folder name is given after a
/// slash.
/// @throws Error{not_found}
InstalledEngine find_engine(const fs::path& engines, const std::string& name);
/// The newest installed engine with this executable. @throws Error{engine_unavailable} when there is none
InstalledEngine newest_engine_with(const fs::path& engines, const std::string& executable);
/// The engine that was chosen for a format, else the newest that can load it.
/// @throws Error{engine_unavailable} when there is none, or the chosen one is gone
InstalledEngine engine_for(const fs::path& engines, const Choices& defaults, std::string_view format);
/// @throws Error{engine_unfit} with what the machine lacks for this variant
void require_suited(const InstalledEngine& engine, const Machine& machine);
/// Can its llama.cpp load models of this architecture? Its library holds the names of those it knows; true when it has
/// no such library to look into. @throws Error{io_error}
bool knows_architecture(const InstalledEngine& engine, std::string_view architecture);
/// @param architecture empty when nobody inspected the model: the engine itself will say
/// @throws Error{model_unsupported} with the first build that knows it
void require_architecture(const InstalledEngine& engine, std::string_view architecture);

/// A file shown to the engine read-only, by the path it has inside.
struct SharedFile {
  std::string path;
  UniqueFd file;
  bool in_memory = false;  ///< it is sealed memory, which is inherited, not bound
};

/// The sandbox of an engine, without a program yet.
/// @param run_folder for its socket; made, and removed by the caller
SandboxSpec sandbox_for(const InstalledEngine& engine, const std::vector<SharedFile>& files, const fs::path& run_folder,
                        const fs::path& log);

struct LlamaServerSettings {
  std::string model_path;  ///< inside; of shards the first
  std::string alias;
  unsigned slots = 0;             ///< requests at a time; 0: the engine's default
  unsigned context = 0;           ///< tokens of one request; 0: the engine's default
  std::string projector_path;     ///< inside; of multimodal models, else empty
  std::optional<ModelTask> task;  ///< what it is to answer, and tell its slots; nullopt: what it does by itself
};

/// llama-server with a model: everything is said on its command line, in the spelling that this version has; nothing is
/// left to its defaults that could reach out.
/// @throws Error{engine_malformed}, Error{model_unsupported} where this version has no option that the model needs
std::vector<std::string> llama_server_arguments(const InstalledEngine& engine, const LlamaServerSettings& settings);

inline constexpr std::string_view k_socket_name = "engine.sock";

/// Does an engine answer GET /health with 200 over this socket?
bool is_healthy(const fs::path& socket, std::chrono::milliseconds patience);

/// The slots that an engine tells of (llama-server's GET /slots); none where it does not tell.
struct SlotCount {
  std::size_t told = 0;
  std::size_t busy = 0;  ///< of these: it is at work in them
};
/// nullopt when it does not answer in time, which says that it is busy.
std::optional<SlotCount> count_slots(const fs::path& socket, std::chrono::milliseconds patience);

/// What an engine did in the folder of its socket that no server of models does: something else stands where its socket
/// belongs, or nothing more fits in. nullopt: nothing of that.
std::optional<std::string> misuse_of_folder(const Sandbox& sandbox);

/// The same of how it ended: by a system call that no engine makes, of itself or of what it started.
std::optional<std::string> misuse_at_end(const Sandbox& sandbox, std::optional<int> status);

/// Where nobody sees the calls of what the engine starts (Sandbox::is_watched), the detail of its entry engine.start
/// gets the member `unwatched`.
void tell_of_watch(const Sandbox& sandbox, std::string& detail);

/// Waits until the engine is healthy.
/// @param given_up asked in between; may be empty
/// @throws Error{engine_failed} when it ends, stays silent, misuses its folder, or was given up; the message holds the
/// last lines of its log
void wait_until_ready(Sandbox& sandbox, std::chrono::seconds patience, const std::function<bool()>& given_up = {});

}  // namespace liftlock::engine
