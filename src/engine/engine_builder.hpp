// Low side: makes an engine package of .debs, or of an archive that the engine's makers publish and .debs with what it
// needs. The same inputs give the same bytes (docs/formats/engine.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/package.hpp"
#include "os/fd.hpp"

namespace liftlock::engine {

enum class InputForm : std::uint8_t { deb, archive };

struct BuildInput {
  EngineInput source;
  UniqueFd file;
  InputForm form = InputForm::deb;
};

struct BuildPlan {
  std::string name, version, variant;
  std::string architecture;  ///< as OCI has it
  /// Commands that must be there; empty: all of the .deb named main_package, of an archive llama-server or
  /// whisper-cli.
  std::vector<std::string> executables;
  std::string main_package;
  std::vector<std::string> library_path;  ///< empty: found by the rule of the format's description
};

/// Holds names in memory; the content of files goes through scratch files named by their digest.
/// @param scratch an existing folder for the files' content, which leaves this empty again
/// @throws Error{engine_malformed, package_malformed, limit_exceeded}
EngineManifest build_engine(const BuildPlan& plan, const std::vector<BuildInput>& inputs, int out,
                            const std::string& scratch);

/// Where a path of a .deb stands in the package: below usr/ what Debian merged there; nullopt when it is left out.
std::optional<std::string> engine_path(std::string_view path);
/// A symlink's target as the package has it; nullopt when it would leave.
/// @param link the path of the link in the .deb, before engine_path
std::optional<std::string> engine_link(std::string_view link, std::string_view target);

}  // namespace liftlock::engine
