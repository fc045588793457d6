// Low side: an entry of the tables `model` and `dataset`, resolved: which files it takes of a Hub, a URL, a local
// source or a store of Ollama, and what vouches for each of them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ecosystem/collector.hpp"
#include "ecosystem/model/hub_client.hpp"
#include "ecosystem/ollama/name.hpp"

namespace liftlock {

/// In a local folder: what its publisher says of its files, as sha256sum writes it.
inline constexpr std::string_view k_model_manifest = "MODEL_MANIFEST.sha256";

/// What tells models and data sets apart while they are collected.
struct ModelShape {
  std::string_view kind;
  std::string_view folder;  ///< of a bundle
  HubKind hub;
  std::string (*why_unsafe)(std::string_view path);  ///< empty: it runs no code when it is loaded
};
extern const ModelShape k_model_shape, k_dataset_shape;

/// "ollama:NAME[:TAG]"
bool is_ollama(std::string_view source);
/// As the stack writes it, or where Ollama keeps it.
std::filesystem::path ollama_store(const StackEntry& entry);
/// @throws Error{stack_invalid}
ollama::Name ollama_name(const StackEntry& entry);

/// @throws Error as Collector::resolve()
Collected resolve_model(const ModelShape& shape, const StackEntry& entry, CollectContext& context);

}  // namespace liftlock
