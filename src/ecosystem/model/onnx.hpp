// ONNX (onnx.proto): which files a model takes its weights from. A location that leaves the model's folder is how
// CVE-2024-27318 read any file of the machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

struct OnnxModel {
  std::string producer;
  std::int64_t ir_version = 0;
  /// The external_data locations, sorted, each once. All are RelPath texts.
  std::vector<std::string> external;
  /// Domains of operators outside ONNX's own, sorted, each once: they need libraries that the model does not bring.
  std::vector<std::string> domains;
};

/// Visits every tensor of graphs, subgraphs, functions and training information.
/// @throws Error{model_malformed} for a broken message, for nesting deeper than 64 and for a location that is no
/// contained relative path
OnnxModel read_onnx(const ByteSource& file);

/// A SentencePiece model: a well-formed message with at least one piece. @throws Error{model_malformed}
void check_sentencepiece(const ByteSource& file);

}  // namespace liftlock
