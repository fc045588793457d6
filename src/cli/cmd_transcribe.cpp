#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/model_serving.hpp"
#include "cli/model_session.hpp"
#include "engine/speech_host.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> files;
  std::string language = "auto";
  std::string format = "text";
  std::string hint;
  bool to_english = false;
};

constexpr int k_interrupted = 130;
constexpr std::chrono::milliseconds k_look_for_stop{50};

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

/// What the record keeps of a request: the recording's digest, not the recording.
std::string prompt_of(const Options& options, const engine::Recording& recording) {
  return dump_json_line({{"recording", {{"sha256", recording.digest().hex()}, {"bytes", recording.size()}}},
                         {"language", options.language},
                         {"to_english", options.to_english},
                         {"hint", options.hint}});
}

void require_written(RecordBook& book, const RecordHead& head, const std::string& prompt, const std::string& answer,
                     Json outcome, RecordMode mode) {
  std::promise<std::optional<Error>> written;
  book.write(
      head, prompt, answer, std::move(outcome),
      [&](std::optional<Error> problem) { written.set_value(std::move(problem)); }, mode);
  if (const auto problem = written.get_future().get()) throw *problem;
}

/// nullopt: stopped.
std::optional<std::variant<engine::Transcribed, Error>> hear(engine::SpeechHost& host, const Options& options,
                                                             const std::string& actor,
                                                             std::shared_ptr<const engine::Recording> recording,
                                                             const std::atomic<bool>& stop) {
  engine::TranscribeTask task;
  task.language = options.language;
  task.to_english = options.to_english;
  task.hint = options.hint;
  const auto heard = std::make_shared<std::promise<std::variant<engine::Transcribed, Error>>>();
  auto future = heard->get_future();
  const auto ticket = host.transcribe(options.model, actor, std::move(recording), std::move(task),
                                      [heard](auto what) { heard->set_value(std::move(what)); });
  while (future.wait_for(k_look_for_stop) != std::future_status::ready) {
    if (!stop) continue;
    host.cancel(ticket);
    return std::nullopt;
  }
  return future.get();
}

void run(Invocation& invocation, const Options& options) {
  require_options(options);
  const auto site = invocation.site();
  site.require_zone("transcribe", {Zone::ingest, Zone::production});
  site.require_own();
  const auto model =
      engine::require_model(Catalog(site.catalog_file()), engine::Choices(site.aliases_file()), options.model);
  const auto& stopped = stop_on_interrupt();
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  RecordBook book(record_options(site), log);
  const auto mode = record_policy(site).mode_for(model.name, std::nullopt);
  engine::SpeechHost host(speech_options(site), log, invocation.actor());
  auto answers = Json::array();
  std::string text;
  for (const auto& file : options.files) {
    const auto recording = std::make_shared<const engine::Recording>(fs::path(file));
    const auto prompt = prompt_of(options, *recording);
    RecordHead head;
    head.id = new_record_id();
    head.user = invocation.actor();
    head.endpoint = "transcribe";
    head.model = model.name;
    const auto heard = hear(host, options, invocation.actor(), recording, stopped);
    if (!heard) {
      require_written(book, head, prompt, "", {{"outcome", "stopped"}}, mode);
      return invocation.set_status(k_interrupted);
    }
    if (const auto* error = std::get_if<Error>(&*heard)) {
      require_written(book, head, prompt, "", {{"outcome", "failed"}, {"code", info(error->code()).slug}}, mode);
      throw *error;
    }
    const auto& [transcript, digest, engine] = std::get<engine::Transcribed>(*heard);
    head.model_digest = digest;
    head.engine = engine;
    // On record before anybody reads it.
    require_written(book, head, prompt, transcript.text(), {{"outcome", "success"}}, mode);
    auto json = to_json(transcript);
    json["file"] = file;
    json["record"] = head.id;
    answers.push_back(std::move(json));
    const auto said = text_of(transcript, options.format);
    text +=
        options.files.size() > 1 && options.format == "text" ? fmt::format("{}: {}\n", printable(file), said) : said;
  }
  invocation.print({{"model", model.name}, {"transcripts", std::move(answers)}}, [&] { return text; });
}

}  // namespace

void add_transcribe(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("transcribe", "Turn recordings of speech into text, with a model of whisper.cpp");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "Name, alias or id of a speech model of the store")->required();
  command->add_option("FILE", options->files, "Recordings: WAV, FLAC, MP3 or Ogg")->required();
  command->add_option("--language", options->language, "What is spoken: de, en, …, or auto")->capture_default_str();
  command->add_option("--format", options->format, "text, or srt or vtt with times")->capture_default_str();
  command->add_option("--hint", options->hint, "Words that are likely to be heard, such as names");
  command->add_flag("--to-english", options->to_english, "Translate what is heard into English");
  command->footer(
      "Each recording is decoded by a process of its own, in a sandbox that sees the model and this recording. The "
      "text "
      "goes on\n"
      "record, of the recording its digest.\n"
      "Example: liftlock transcribe whisper-small meeting.wav --format vtt > meeting.vtt");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
