#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/model_serving.hpp"
#include "cli/model_session.hpp"
#include "engine/transcriber.hpp"
#include "store/blob_store.hpp"
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

void require_options(const Options& options) {
  const auto& language = options.language;
  const bool is_code = (language.size() == 2 || language.size() == 3) &&
                       std::all_of(language.begin(), language.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!is_code && language != "auto") {
    fail(ErrorCode::usage, "'{}' is no language: two letters like de, or auto", printable(language));
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

void run(Invocation& invocation, const Options& options) {
  require_options(options);
  const auto site = invocation.site();
  site.require_zone("transcribe", {Zone::ingest, Zone::production});
  site.require_own();
  const Catalog catalog(site.catalog_file());
  const auto model = engine::require_model(catalog, engine::Choices(site.aliases_file()), options.model);
  const auto engine = engine::engine_for(site.engines_folder(), engine::Choices(site.engine_defaults_file()), "ggml");
  const auto& stopped = stop_on_interrupt();
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  RecordBook book(record_options(site), log);
  const auto mode = record_policy(site).mode_for(model.name, std::nullopt);
  const BlobStore store(site.store_folder());
  const auto checked = engine::pass_gate(store, log, gate_policy(site), model, invocation.actor(), Json::object());
  make_folders(site.logs_folder());
  auto answers = Json::array();
  std::string text;
  for (const auto& file : options.files) {
    engine::TranscribeTask task;
    task.language = options.language;
    task.to_english = options.to_english;
    task.hint = options.hint;
    task.log = site.logs_folder() / "transcribe.log";
    const engine::Recording recording{fs::path(file)};
    const auto prompt = prompt_of(options, recording);
    RecordHead head;
    head.id = new_record_id();
    head.user = invocation.actor();
    head.endpoint = "transcribe";
    head.model = model.name;
    head.model_digest = engine::main_digest(model).text();
    head.engine = full_name(engine);
    engine::Transcript transcript;
    try {
      transcript = engine::transcribe(engine, checked, recording, task, [&] { return stopped.load(); });
    } catch (const Error& error) {
      const auto* how = stopped ? "stopped" : "failed";
      require_written(book, head, prompt, "", {{"outcome", how}, {"code", info(error.code()).slug}}, mode);
      if (stopped) return invocation.set_status(k_interrupted);
      throw;
    }
    // On record before anybody reads it.
    require_written(book, head, prompt, transcript.text(), {{"outcome", "success"}}, mode);
    auto json = to_json(transcript);
    json["file"] = file;
    json["record"] = head.id;
    answers.push_back(std::move(json));
    const auto said = text_of(transcript, options.format);
    text += options.files.size() > 1 && options.format == "text" ? fmt::format("{}: {}\n", printable(file), said) : said;
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
      "Each recording is decoded by a process of its own, in a sandbox that sees the model and this recording. The text "
      "goes on\n"
      "record, of the recording its digest.\n"
      "Example: liftlock transcribe whisper-small meeting.wav --format vtt > meeting.vtt");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
