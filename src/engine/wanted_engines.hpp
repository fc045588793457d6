// Which engines the models of a store need, and why one would not start: what /readyz asks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/choices.hpp"
#include "engine/machine.hpp"
#include "os/file.hpp"
#include "store/catalog.hpp"

namespace liftlock::engine {

struct WantedEngines {
  bool gguf = false;  ///< there are models that llama.cpp loads
  bool ggml = false;  ///< there are models of speech, which whisper.cpp loads
  bool any() const { return gguf || ggml; }
};
/// What another program loads (vLLM's) wants none of ours.
WantedEngines wanted_engines(const Catalog& catalog);

/// Why the engine of a format would not start; nothing where it would. Anybody who reaches the port may read it: no
/// path, name or version is in it.
/// @param format as engine_for() takes it
std::optional<std::string> why_no_engine(const fs::path& engines, const Choices& defaults, std::string_view format,
                                         const Machine& machine);

}  // namespace liftlock::engine
