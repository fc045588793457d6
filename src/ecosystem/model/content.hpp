// What a file of a model is, by its bytes first and by its name second; formats that can run code when they are loaded
// are found by both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

enum class ContentKind : std::uint8_t {
  gguf,
  safetensors,
  safetensors_index,
  onnx,
  whisper,  ///< a ggml model of whisper.cpp
  json,
  text,           ///< UTF-8 without control characters: readme, vocabulary, template …
  sentencepiece,  ///< tokenizer.model as a protobuf
  image,          ///< PNG, JPEG, GIF, WebP
  unsafe,         ///< can run code when it is loaded
  unknown,        ///< nothing that can be checked
};

struct Content {
  ContentKind kind = ContentKind::unknown;
  std::string reason;  ///< for unsafe and unknown: what it is, in words
};

/// Reads the beginning and the end of the file; text is read whole.
/// @param path the file's path, of which the name counts
Content recognise(std::string_view path, const ByteSource& file);

/// Why a file of this name is refused before anybody looks into it ("a pickle …"); empty when the name is fine.
std::string why_unsafe_name(std::string_view path);

/// Does the file end as a zip archive ends? Then loaders of zip formats would read it as another file than its
/// beginning says.
bool ends_as_zip(const ByteSource& file);

}  // namespace liftlock
