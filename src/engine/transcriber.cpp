#include "engine/transcriber.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "engine/memory_need.hpp"
#include "engine/used_up.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_program = "whisper-cli";
constexpr std::string_view k_inside = "/recording/input";
/// whisper.cpp's examples/cli: the input files that it could not read are counted into it.
constexpr int k_unreadable = 11;
constexpr std::size_t k_block = 1u << 20;
/// Fewer are no sound that an engine understands.
constexpr std::uint64_t k_least_bytes_a_second = 2000;
constexpr std::chrono::milliseconds k_look_at_memory{1000};
constexpr std::uint64_t k_max_transcript = 64u << 20;

/// The engine decodes it; this only says early, and in our words, what it would not take.
bool looks_like_sound(std::string_view head) {
  const bool wav = head.starts_with("RIFF") && head.size() >= 12 && head.substr(8, 4) == "WAVE";
  const bool mp3 = head.starts_with("ID3") || (head.size() >= 2 && static_cast<unsigned char>(head[0]) == 0xFF &&
                                               (static_cast<unsigned char>(head[1]) & 0xE0) == 0xE0);
  return wav || mp3 || head.starts_with("fLaC") || head.starts_with("OggS");
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t out = 0;
  for (std::size_t i = 4; i-- > 0;) out = out << 8 | static_cast<unsigned char>(bytes.at(i));
  return out;
}

/// What the head of a WAV says: of its chunks "fmt " has them in the third place.
std::uint64_t bytes_a_second(std::string_view head) {
  constexpr std::size_t k_first_chunk = 12, k_chunk_head = 8, k_format = 16;
  if (!head.starts_with("RIFF")) return k_least_bytes_a_second;
  for (auto at = k_first_chunk; at + k_chunk_head + k_format <= head.size();) {
    const auto size = little_endian(head.substr(at + 4, 4));
    if (head.substr(at, 4) == "fmt ")
      return std::max<std::uint64_t>(little_endian(head.substr(at + k_chunk_head + 8, 4)), k_least_bytes_a_second);
    at += k_chunk_head + size + size % 2;
  }
  return k_least_bytes_a_second;
}

const std::string& whisper_file(const CheckedModel& model) {
  const SharedFile* found = nullptr;
  for (const auto& file : model.files) {
    if (!file.path.ends_with(".bin")) continue;
    if (found != nullptr) {
      fail(ErrorCode::model_unsupported, "the model '{}' holds several .bin files", printable(model.artifact.name));
    }
    found = &file;
  }
  if (found != nullptr) return found->path;
  throw Error(ErrorCode::model_unsupported,
              fmt::format("the model '{}' is none of whisper.cpp", printable(model.artifact.name)),
              "speech needs a ggml-….bin model");
}

std::vector<std::string> arguments(const InstalledEngine& engine, const std::string& model,
                                   const TranscribeTask& task) {
  const auto program = engine.manifest.executables.find(std::string(k_program));
  if (program == engine.manifest.executables.end()) {
    fail(ErrorCode::engine_malformed, "the engine {} has no {}", printable(engine.manifest.name), k_program);
  }
  const auto* known = flags_of(engine, program->first);
  std::vector<std::string> out = {"/" + program->second};
  const auto say = [&](std::string_view purpose, std::string_view value = {}) {
    for (const auto& need : flag_needs(k_program)) {
      if (need.purpose != purpose) continue;
      const auto flag = spelling(need, known);
      if (flag.empty()) return;
      out.emplace_back(flag);
      if (!value.empty()) out.emplace_back(value);
    }
  };
  say("the model", model);
  say("the recording", k_inside);
  say("the output's form");
  say("the output", "/run/liftlock/transcript");
  say("the language", task.language);
  say("silence");
  if (task.to_english) say("translation");
  if (!task.hint.empty()) say("the hint", task.hint);
  return out;
}

SandboxSpec spec_of(const InstalledEngine& engine, const CheckedModel& model, const Recording& recording,
                    const TranscribeTask& task, const fs::path& run_folder) {
  auto spec = sandbox_for(engine, model.files, run_folder, task.log);
  spec.files.emplace_back(k_inside, recording.fd());
  // wait_for_end() ends it before that; an engine that is quicker is ended by its own allocations.
  spec.max_memory = std::min(spec.max_memory, 2 * task.max_memory + (1u << 30));
  spec.run_bytes = k_max_transcript;
  spec.argv = arguments(engine, whisper_file(model), task);
  return spec;
}

TranscribeTask bounded(TranscribeTask task) {
  if (task.max_memory == 0) task.max_memory = default_memory_budget();
  return task;
}

[[noreturn]] void end_for(const std::string& what, const std::function<void(const std::string&)>& suspect) {
  suspect(what);
  fail(ErrorCode::engine_failed, "the engine does what none for speech does: {}", what);
}

/// "01:02:03,450"
std::string clock_text(std::chrono::milliseconds time, char before_milliseconds) {
  const auto count = time.count();
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", count / 3'600'000, count / 60'000 % 60, count / 1000 % 60,
                     before_milliseconds, count % 1000);
}

std::chrono::milliseconds time_of(const Json& offsets, const char* key) {
  const auto found = offsets.find(key);
  if (found == offsets.end() || !found->is_number_integer() || *found < 0) {
    fail(ErrorCode::engine_failed, "the engine's transcript has a segment without times");
  }
  return std::chrono::milliseconds(found->get<std::int64_t>());
}

}  // namespace

Recording::Recording(const fs::path& file) {
  const auto in = open_file(file, O_RDONLY);
  (void)regular_size(in.get(), file.string());
  std::string block(k_block, '\0');
  const auto next = [&]() -> std::string_view {
    for (;;) {
      const auto got = ::read(in.get(), block.data(), block.size());
      if (got >= 0) return {block.data(), static_cast<std::size_t>(got)};
      if (errno != EINTR) fail_errno(file.string());
    }
  };
  copy(next, file.string());
}

Recording::Recording(std::string_view bytes) {
  copy([&] { return std::exchange(bytes, {}); }, "the recording");
}

void Recording::copy(const std::function<std::string_view()>& next, const std::string& name) {
  const auto place = m_folder.path() / "input";
  const UniqueFd out(::open(place.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!out.valid() || ::fchmod(out.get(), 0444) != 0) fail_errno(place.string());
  Hasher hasher;
  for (auto piece = next(); !piece.empty() || m_size == 0; piece = next()) {
    if (m_size == 0 && !looks_like_sound(piece)) {
      throw Error(ErrorCode::usage, fmt::format("'{}' is no WAV, FLAC, MP3 or Ogg file", printable(name)),
                  "convert it: ffmpeg -i FILE -ar 16000 -ac 1 out.wav");
    }
    if (m_size == 0) m_bytes_a_second = bytes_a_second(piece);
    m_size += piece.size();
    if (m_size > k_max_recording)
      fail(ErrorCode::limit_exceeded, "the recording has more than {}", format_size(k_max_recording));
    hasher.update(piece);
    write_all(out.get(), piece, place.string());
  }
  m_digest = hasher.finish();
  m_copy = open_file(place, O_RDONLY);
}

bool is_language(std::string_view text) {
  const bool is_code = (text.size() == 2 || text.size() == 3) &&
                       std::all_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return is_code || text == "auto";
}

std::string Transcript::text() const {
  std::string out;
  for (const auto& segment : segments) out += segment.text;
  return std::string(trim(out));
}

Transcript read_transcript(std::string_view text) {
  try {
    // Segments may end in the middle of a character.
    const auto clean = Json::parse(Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace));
    const auto json = parse_json(clean.get<std::string>(), {.max_bytes = 2 * k_max_transcript, .max_depth = 8});
    Transcript out;
    out.language = string_member(object_member(json, "result", "transcript"), "language", "transcript");
    for (const auto& one : array_member(json, "transcription", "transcript")) {
      const auto& offsets = object_member(one, "offsets", "transcript");
      out.segments.push_back(
          {time_of(offsets, "from"), time_of(offsets, "to"), string_member(one, "text", "transcript")});
    }
    return out;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::engine_failed) throw;
    fail(ErrorCode::engine_failed, "the engine's transcript cannot be understood: {}", error.message());
  }
}

Transcription::Transcription(const InstalledEngine& engine, const CheckedModel& model, const Recording& recording,
                             const TranscribeTask& task)
    : m_model(model), m_task(bounded(task)), m_sandbox(spec_of(engine, model, recording, m_task, m_folder.path())) {}

int Transcription::wait_for_end(const TranscriptionWatch& watch) {
  const auto begun = std::chrono::steady_clock::now();
  auto next_look = begun;
  for (;;) {
    if (const auto status = m_sandbox.poll()) return *status;
    if (watch.stopped()) fail(ErrorCode::engine_failed, "the recording was given up");
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_look) {
      next_look = now + k_look_at_memory;
      if (const auto misuse = misuse_of_folder(m_sandbox)) end_for(*misuse, watch.suspect);
      const auto use = use_of(m_sandbox.pid());
      watch.holds(use.memory);
      if (const auto what = used_up(m_sandbox, use)) end_for(*what, watch.suspect);
      if (use.memory > m_task.max_memory) {
        end_for(fmt::format("it held {} of memory, and may hold {}", format_size(use.memory),
                            format_size(m_task.max_memory)),
                watch.suspect);
      }
    }
    if (now > begun + m_task.patience) {
      throw Error(ErrorCode::engine_failed,
                  fmt::format("the engine did not end within {} s, and was ended", m_task.patience.count()),
                  "on a slow machine a large model needs more: speech_pace below [models] of config.toml");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string Transcription::finish(const TranscriptionWatch& watch) {
  const auto status = wait_for_end(watch);
  if (const auto misuse = misuse_at_end(m_sandbox, status)) end_for(*misuse, watch.suspect);
  check_again(m_model);
  // The engine made it: a link, a pipe or a folder in its place is not followed.
  const auto place = m_sandbox.run_folder() / "transcript.json";
  struct stat found {};
  if (::lstat(place.c_str(), &found) == 0 && !S_ISREG(found.st_mode))
    end_for("something else stood where its transcript belongs", watch.suspect);
  const auto file = open_file_if_exists(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (status == k_unreadable) {
    throw Error(ErrorCode::usage, "the recording cannot be decoded",
                "convert it: ffmpeg -i FILE -ar 16000 -ac 1 out.wav");
  }
  if (status != 0 || !file) {
    throw Error(ErrorCode::engine_failed, fmt::format("the engine ended with status {} and no transcript", status),
                fmt::format("its own words are in '{}'", printable(m_task.log.string())));
  }
  (void)regular_size(file->get(), "the engine's transcript");
  return read_all(file->get(), k_max_transcript, "the engine's transcript");
}

std::string to_srt(const Transcript& transcript) {
  std::string out;
  std::size_t number = 0;
  for (const auto& segment : transcript.segments) {
    out += fmt::format("{}\n{} --> {}\n{}\n\n", ++number, clock_text(segment.from, ','), clock_text(segment.to, ','),
                       trim(segment.text));
  }
  return out;
}

std::string to_vtt(const Transcript& transcript) {
  std::string out = "WEBVTT\n\n";
  for (const auto& segment : transcript.segments) {
    out += fmt::format("{} --> {}\n{}\n\n", clock_text(segment.from, '.'), clock_text(segment.to, '.'),
                       trim(segment.text));
  }
  return out;
}

}  // namespace liftlock::engine
