// POST /v1/audio/transcriptions and /v1/audio/translations: the fields of OpenAI's API that we take, and the five forms
// of its answers. https://platform.openai.com/docs/api-reference/audio
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/transcriber.hpp"
#include "gateway/openai_request.hpp"
#include "net/http.hpp"

namespace liftlock {

/// OpenAI's own limit is 25 MiB; what is longer is for `liftlock transcribe`.
inline constexpr std::size_t k_max_audio_request = 32u << 20;
inline constexpr std::size_t k_max_local_audio_request = engine::k_max_recording + (64u << 10);

enum class TranscriptForm : std::uint8_t { json, text, srt, vtt, verbose_json };

struct SpeechRequest {
  std::string_view recording;  ///< within the body
  EngineRequest engine;        ///< its body is what the record keeps besides the recording and its digest
  engine::TranscribeTask task;
  TranscriptForm form = TranscriptForm::json;
};

/// @param translate into English
/// @throws Error{bad_request} naming the field
SpeechRequest narrow_speech_request(std::string_view content_type, std::string_view body, bool translate);

HttpResponse speech_answer(const engine::Transcript& transcript, TranscriptForm form, bool translate);

}  // namespace liftlock
