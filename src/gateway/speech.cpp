#include "gateway/speech.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/multipart.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_hint = 4096;
constexpr std::array<std::pair<std::string_view, TranscriptForm>, 5> k_forms = {
    {{"json", TranscriptForm::json},
     {"text", TranscriptForm::text},
     {"srt", TranscriptForm::srt},
     {"vtt", TranscriptForm::vtt},
     {"verbose_json", TranscriptForm::verbose_json}}};

/// The plain fields as a JSON object, for the reader that all requests have. @return the file
std::string_view fields_of(const std::vector<FormPart>& parts, Json& out) {
  std::optional<std::string_view> file;
  out = Json::object();
  for (const auto& part : parts) {
    const bool is_file = part.name == "file";
    if (is_file ? file.has_value() : out.contains(part.name)) refuse_field(part.name, "must be there once");
    if (!is_utf8(part.name)) refuse_field("the form", "has a name that is no UTF-8");
    if (is_file) {
      file = part.body;
      continue;
    }
    if (part.body.size() > k_max_hint || !is_utf8(part.body))
      refuse_field(part.name, fmt::format("must be UTF-8 of at most {} bytes", k_max_hint));
    out[part.name] = part.body;
  }
  if (!file) refuse_field("file", "must be there");
  return *file;
}

double seconds(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

Json verbose(const engine::Transcript& transcript, bool translate) {
  auto segments = Json::array();
  for (const auto& one : transcript.segments) {
    segments.push_back(
        {{"id", segments.size()}, {"start", seconds(one.from)}, {"end", seconds(one.to)}, {"text", one.text}});
  }
  return {{"task", translate ? "translate" : "transcribe"},
          {"language", transcript.language},
          {"duration", transcript.segments.empty() ? 0.0 : seconds(transcript.segments.back().to)},
          {"text", transcript.text()},
          {"segments", std::move(segments)}};
}

}  // namespace

SpeechRequest narrow_speech_request(std::string_view content_type, std::string_view body, bool translate) {
  SpeechRequest request;
  Json form;
  request.recording = fields_of(parse_form(content_type, body), form);
  FieldReader fields(form, "");
  request.engine.path = translate ? "/v1/audio/translations" : "/v1/audio/transcriptions";
  request.engine.model = fields.need_text("model", k_max_name);
  auto& out = fields.out();
  if (!translate) {
    if (const auto language = fields.text("language", k_max_name); !language.empty()) {
      if (!engine::is_language(language)) refuse_field("language", "must be of two or three letters, like de");
      out["language"] = request.task.language = language;
    }
  }
  request.task.to_english = translate;
  if (const auto hint = fields.text("prompt", k_max_hint); !hint.empty()) out["prompt"] = request.task.hint = hint;
  const auto wanted = fields.text("response_format", k_max_name);
  const auto found = std::find_if(k_forms.begin(), k_forms.end(), [&](const auto& one) { return one.first == wanted; });
  if (found != k_forms.end()) {
    request.form = found->second;
  } else if (!wanted.empty()) {
    refuse_field("response_format", "must be json, text, srt, vtt or verbose_json");
  }
  const auto only = [&](std::string_view key, std::string_view value) {
    const auto said = fields.text(key, k_max_name);
    if (!said.empty() && said != value) refuse_field(key, fmt::format("must be {}", value));
  };
  only("stream", "false");
  only("temperature", "0");
  only("timestamp_granularities[]", "segment");
  request.engine.body = fields.finish();
  return request;
}

HttpResponse speech_answer(const engine::Transcript& transcript, TranscriptForm form, bool translate) {
  const auto plain = [](std::string body) { return text_response(200, "text/plain; charset=utf-8", std::move(body)); };
  switch (form) {
    case TranscriptForm::text:
      return plain(transcript.text() + "\n");
    case TranscriptForm::srt:
      return plain(to_srt(transcript));
    case TranscriptForm::vtt:
      return text_response(200, "text/vtt", to_vtt(transcript));
    case TranscriptForm::verbose_json:
      return text_response(200, "application/json", dump_json_line(verbose(transcript, translate)) + "\n");
    case TranscriptForm::json:
      break;
  }
  return text_response(200, "application/json", dump_json_line({{"text", transcript.text()}}) + "\n");
}

}  // namespace liftlock
