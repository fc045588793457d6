#include "engine/wanted_engines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "engine/engine_files.hpp"
#include "engine/engine_process.hpp"
#include "engine/model_task.hpp"

namespace liftlock::engine {

WantedEngines wanted_engines(const Catalog& catalog) {
  WantedEngines out;
  for (const auto& artifact : catalog.artifacts()) {
    if (artifact.kind != "model") continue;
    const auto has = [&](std::string_view ending) {
      return std::any_of(artifact.files.begin(), artifact.files.end(),
                         [&](const auto& file) { return file.path.text().ends_with(ending); });
    };
    out.gguf = out.gguf || has(".gguf");
    // A .bin may be PyTorch's, too.
    out.ggml = out.ggml || (has(".bin") && task_of(catalog.inspection(artifact)) == ModelTask::speech);
  }
  return out;
}

std::optional<std::string> why_no_engine(const fs::path& engines, const Choices& defaults, std::string_view format,
                                         const Machine& machine) {
  const auto* models = format == "ggml" ? "models of speech" : "models";
  try {
    const auto engine = engine_for(engines, defaults, format);
    require_suited(engine, machine);
    if (has_list(engine)) return std::nullopt;
    return fmt::format(
        "the engine for the {} that are here has no list of its files, and does not start: install it anew", models);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::engine_unfit)
      return fmt::format("the engine for the {} that are here cannot run on this machine", models);
    if (error.code() != ErrorCode::engine_unavailable) throw;
    return fmt::format("no engine is installed for the {} that are here", models);
  }
}

}  // namespace liftlock::engine
