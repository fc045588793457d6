#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/model_serving.hpp"
#include "cli/model_session.hpp"
#include "record/record_policy.hpp"

namespace liftlock {
namespace {

struct Options : ModelSession::Listening {
  std::string model;
  std::vector<std::string> files;
  std::string format = "text";
};

constexpr int k_interrupted = 130;

void require_options(const Options& options) {
  if (!engine::is_language(options.language)) {
    fail(ErrorCode::usage, "'{}' is no language: two letters like de, or auto", printable(options.language));
  }
  if (options.format != "text" && options.format != "srt" && options.format != "vtt") {
    fail(ErrorCode::usage, "'{}' is no form of a transcript: text, srt or vtt", printable(options.format));
  }
}

Json to_json(const engine::Transcript& transcript) {
  auto segments = Json::array();
  for (const auto& one : transcript.segments)
    segments.push_back({{"from_ms", one.from.count()}, {"to_ms", one.to.count()}, {"text", one.text}});
  return {{"text", transcript.text()}, {"language", transcript.language}, {"segments", std::move(segments)}};
}

std::string text_of(const engine::Transcript& transcript, const std::string& format) {
  if (format == "srt") return to_srt(transcript);
  return format == "vtt" ? to_vtt(transcript) : transcript.text();
}

/// Whoever counts on hearing it again should know before.
void warn_of_large(Invocation& invocation, const RecordPolicy& policy, const std::string& model,
                   const std::string& file) {
  std::error_code unknown;  // that it cannot be read is told when it is
  const auto size = fs::file_size(file, unknown);
  const auto mode = policy.mode_for(model, std::nullopt);
  if (unknown || size <= k_max_kept_recording || !policy.keeps_recording(mode, k_max_kept_recording)) return;
  invocation.reporter().warn(fmt::format("'{}' has {}: of a recording over {} the record keeps the SHA-256 alone", file,
                                         format_size(size), format_size(k_max_kept_recording)));
}

void run(Invocation& invocation, const Options& options) {
  require_options(options);
  auto session = open_model_session(invocation, options.model, "transcribe");
  const auto policy = record_policy(invocation.site());
  auto answers = Json::array();
  std::string text;
  for (const auto& file : options.files) {
    warn_of_large(invocation, policy, session.model(), file);
    const auto heard = session.transcribe(file, options);
    if (!heard) return invocation.set_status(k_interrupted);
    auto json = to_json(heard->transcript);
    json["file"] = file;
    json["record"] = heard->record;
    answers.push_back(std::move(json));
    const auto said = text_of(heard->transcript, options.format);
    text +=
        options.files.size() > 1 && options.format == "text" ? fmt::format("{}: {}\n", printable(file), said) : said;
  }
  invocation.print({{"model", session.model()}, {"transcripts", std::move(answers)}}, [&] { return text; });
}

}  // namespace

void add_transcribe(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("transcribe", "Turn recordings of speech into text, with a model of whisper.cpp");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "Name, alias or id of a speech model of the store")->required();
  command->add_option("FILE", options->files, "Recordings: WAV, FLAC, MP3 or Ogg")->required();
  command->add_option("--language", options->language, "What is spoken: de, en, …, or auto")->capture_default_str();
  command->add_option("--format", options->format, "text, or srt or vtt with times")
      ->type_name("{text,srt,vtt}")
      ->capture_default_str();
  command->add_option("--hint", options->hint,
                      "Words that are likely to be heard, such as names; needs speech_hint of [models]");
  command->add_flag("--to-english", options->to_english, "Translate what is heard into English");
  command->footer(
      "Each recording is decoded by a process of its own, in a sandbox that sees the model and this recording. The\n"
      "text goes on record, and the recording with it: of one over 64 MiB, and with `recordings = false` of [record],\n"
      "its SHA-256 and size only.\n"
      "Example: liftlock transcribe whisper-small meeting.wav --format vtt > meeting.vtt");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
