// The tensor types of ggml (ggml.h, enum ggml_type): how many values share a block, and the block's size.
#pragma once

#include <cstdint>
#include <string_view>

namespace liftlock {

struct GgufTensorType {
  std::string_view name;
  std::uint32_t block = 0;  ///< values
  std::uint32_t bytes = 0;  ///< of one block; 0: the number is not (or no longer) a type
};

/// bytes is 0 for the numbers of removed types (4, 5, 31–33, 36–38) and for those past the end of the table.
GgufTensorType gguf_tensor_type(std::uint32_t number);
/// Was it once a type that the format has dropped?
bool gguf_type_was_removed(std::uint32_t number);

}  // namespace liftlock
