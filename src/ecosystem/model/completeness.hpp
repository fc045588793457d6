// Is a model whole: all shards of each set, all weights of each index, and what a loader needs beside them?
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/inspector.hpp"
#include "ecosystem/model/gguf.hpp"
#include "ecosystem/model/safetensors.hpp"

namespace liftlock {

/// What was read of the files of one model, by path.
struct ModelFiles {
  std::vector<std::string> paths;  ///< all of them, sorted
  std::map<std::string, GgufModel> gguf;
  std::map<std::string, SafetensorsModel> safetensors;
  std::map<std::string, SafetensorsIndex> indexes;
};

/// The prefix, number and count of "name-00002-of-00005.ext"; nullopt for other names.
struct ShardName {
  std::string set;  ///< the path with the number left out: one set
  std::uint64_t number = 0;
  std::uint64_t count = 0;
};
std::optional<ShardName> parse_shard_name(std::string_view path);

/// Missing or contradicting shards: Findings model_incomplete and model_malformed.
std::vector<Finding> check_completeness(const ModelFiles& files);

/// What tokenizers are called, one of each form.
std::span<const std::string_view> tokenizer_names();

/// Folders ("" is the top, else with a "/" at the end) that hold safetensors and a configuration, but no tokenizer.
/// None of a diffusion pipeline, whose parts have no tokenizer of their own.
/// @param weights the folders that hold safetensors
std::vector<std::string> folders_without_tokenizer(const std::vector<std::string>& paths,
                                                   const std::set<std::string>& weights);

/// Things that may be missing on purpose ("there is no tokenizer beside …"), sorted.
std::vector<std::string> completeness_notes(const ModelFiles& files);

}  // namespace liftlock
