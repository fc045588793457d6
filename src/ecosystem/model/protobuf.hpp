// Walks protocol buffer messages (protobuf.dev, "Encoding") without a schema compiler: enough to look into ONNX and
// SentencePiece models, bounded in depth, linear in time.
#pragma once

#include <cstdint>
#include <functional>

#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

struct ProtoField {
  std::uint32_t number = 0;
  std::uint32_t wire = 0;   ///< 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes
  std::uint64_t value = 0;  ///< of wire 0, 1 and 5; the length of wire 2
};

/// Reads fields from in until `end` and calls field for each; for wire 2 the callback may read up to value bytes, the
/// rest is skipped. Groups are refused.
/// @throws Error{model_malformed} and what field throws
void walk_message(ForwardReader& in, std::uint64_t end, const std::function<void(const ProtoField&)>& field);

}  // namespace liftlock
