// High side: GGUF models for `ollama pull`, at /v2/ollama/: docs/formats/ollama.md.
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::ollama {

/// Each model under its name, with its version and "latest" as tags. Manifests are made when they are first asked for.
/// Without credentials only: Ollama's client sends none with the requests for parts.
std::unique_ptr<const Route> make_ollama_route(std::shared_ptr<const MirrorView> view,
                                               const RouteEnvironment& environment);

}  // namespace liftlock::ollama
