// GGUF (ggml docs/gguf.md): the header, the metadata and the tensor table, checked so strictly that a file which passes
// gives an engine no length, count, offset or type to trip over. Weights are not read. Rules and limits:
// docs/formats/models.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

/// Limits past which a file is refused although the format would allow it.
struct GgufLimits {
  std::uint64_t max_metadata_bytes = 1u << 30;  ///< header, metadata and tensor table together
  std::uint64_t max_keys = 65'536;
  std::uint64_t max_key_bytes = 16u << 20;  ///< of all keys together: they are held to find duplicates
  std::uint64_t max_tensors = 262'144;
  std::uint64_t max_alignment = 1u << 20;
  std::uint64_t max_layers = 512;
  std::uint64_t max_held_string = 1024;  ///< of strings that become facts; longer ones are cut
};

/// split.no, split.count and split.tensors.count of one file of a split set.
struct GgufSplit {
  std::uint64_t number = 0;
  std::uint64_t count = 0;
  std::uint64_t tensors = 0;
};

struct GgufModel {
  std::uint32_t version = 0;
  std::string architecture;
  std::string type;  ///< general.type: "model", "adapter", "mmproj", "imatrix"; empty when it is not stated
  std::string name;
  std::string size_label;
  std::string license;
  std::vector<std::string> datasets;     ///< general.dataset.N.name; as the file writes it, at most 32
  std::vector<std::string> base_models;  ///< general.base_model.N.name, where given after its organization: "org/name"
  std::string tokenizer;                 ///< tokenizer.ggml.model
  std::string quantisation;              ///< of general.file_type, or else the type that most weights have
  std::optional<std::uint64_t> context_length;
  std::optional<std::uint64_t> embedding_length;
  std::optional<std::uint64_t> block_count;
  std::optional<std::uint64_t> head_count;     ///< absent also where it differs between layers
  std::optional<std::uint64_t> head_count_kv;  ///< less than head_count with grouped-query attention
  std::optional<std::uint64_t> pooling_type;   ///< of models for embeddings and ranking: llama.cpp's llama_pooling_type
  std::optional<std::uint64_t> vocabulary;     ///< number of tokens
  std::optional<Digest> chat_template;         ///< SHA-256 of tokenizer.chat_template
  std::uint64_t chat_template_length = 0;      ///< in bytes
  std::uint64_t chat_template_offset = 0;      ///< where its text begins in the file
  std::uint64_t parameters = 0;                ///< sum over all tensors
  std::uint64_t tensor_count = 0;
  std::vector<std::string> tensor_names;  ///< kept only for split sets, to see that no name stands in two files
  std::optional<GgufSplit> split;
  std::vector<std::string> notes;  ///< remarkable, but no reason to refuse
  /// "tensor type 77 …": set when an engine of this version cannot load it; the rest of the file was checked as far as
  /// that is possible without the size of such a tensor.
  std::string unsupported;
};

/// Does it begin as a GGUF file, in either byte order?
bool is_gguf(std::string_view first_bytes);

/// @throws Error{model_malformed} with the rule that is broken, Error{model_unsupported} for version 1 and for
/// big-endian files
GgufModel read_gguf(const ByteSource& file, const GgufLimits& limits = {});

/// "Q4_K_M" for 15 …; "file type 99" for what is not known.
std::string gguf_file_type_name(std::uint64_t file_type);

}  // namespace liftlock
