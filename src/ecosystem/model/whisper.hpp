// Models of whisper.cpp: the ggml format from before GGUF (whisper.cpp, whisper_model_load). Sizes, filters, vocabulary
// and the head of each tensor are checked; weights are not read. Rules: docs/formats/models.md.
#pragma once

#include <cstdint>
#include <string>

#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

struct WhisperLimits {
  /// With fewer tokens whisper.cpp takes numbers past the end of its vocabulary for the special ones.
  std::uint32_t min_vocabulary = 51'864;
  std::uint32_t max_vocabulary = 52'000;
};

struct WhisperModel {
  std::uint32_t vocabulary = 0;
  std::uint32_t audio_context = 0, text_context = 0;
  std::uint32_t state = 0;  ///< width of the encoder and the decoder
  std::uint32_t audio_layers = 0, text_layers = 0;
  std::uint32_t mels = 0;
  bool multilingual = false;
  std::string quantisation;  ///< "F16", "Q5_1"
  std::uint64_t tensor_count = 0;
  std::uint64_t parameters = 0;
};

/// @throws Error{model_malformed} with the rule that is broken
WhisperModel read_whisper(const ByteSource& file, const WhisperLimits& limits = {});

}  // namespace liftlock
