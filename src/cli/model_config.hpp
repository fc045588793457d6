// The [models] table of an application's config.toml: llm_path, embedding_path and the like (X8).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "os/file.hpp"

namespace liftlock {

/// Key and path of each value whose key ends in "_path"; relative paths are taken from the file's folder.
/// @throws Error{config_invalid} for what is no TOML or names no model, Error{not_found}
std::vector<std::pair<std::string, fs::path>> model_paths(const fs::path& config);

}  // namespace liftlock
