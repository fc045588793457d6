// safetensors: the header, checked to be the one reading of the file. Weights are not read; memory is some 32 bytes per
// tensor. Rules and limits: docs/formats/models.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

/// The first 16 bytes of a name's SHA-256: stands for the name where millions of them are compared.
using NameKey = std::array<std::uint8_t, 16>;
NameKey name_key(std::string_view name);

struct SafetensorsModel {
  std::uint64_t tensor_count = 0;
  std::uint64_t parameters = 0;                 ///< sum over all tensors
  std::map<std::string, std::uint64_t> dtypes;  ///< how many parameters of each type
  std::string format;                           ///< __metadata__.format: "pt", "tf", "np", "flax"
  std::vector<NameKey> names;                   ///< sorted
  std::string unsupported;                      ///< the first dtype that is unknown here
};

/// @throws Error{model_malformed} with the rule that is broken
SafetensorsModel read_safetensors(const ByteSource& file);

/// model.safetensors.index.json: which shard holds which weight.
struct SafetensorsIndex {
  /// Shard file names, as written, with the keys of the weights they are said to hold (sorted).
  std::map<std::string, std::vector<NameKey>> shards;
  std::uint64_t weights = 0;
};

/// @throws Error{model_malformed}
SafetensorsIndex read_safetensors_index(const ByteSource& file);

}  // namespace liftlock
