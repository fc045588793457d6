// Speech to text: whisper-cli of a whisper.cpp engine, one process for each recording, in a sandbox of its own that
// sees the model that was checked, this recording, and nothing of anybody else's. Why a process each: docs/decisions.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "engine/engine_process.hpp"
#include "engine/load_gate.hpp"
#include "os/run_folder.hpp"
#include "os/sandbox.hpp"

namespace liftlock::engine {

/// Bytes that a recording has at most; an hour of it as WAV of 16 kHz is 110 MiB.
inline constexpr std::uint64_t k_max_recording = 512u << 20;

/// A copy of a recording that the engine's user may read, for as long as the object lives. What the digest names is
/// what is decoded, whatever becomes of the file meanwhile.
class Recording {
 public:
  /// @throws Error{usage} for what is no WAV, FLAC, MP3 or Ogg, Error{limit_exceeded} past k_max_recording
  explicit Recording(const fs::path& file);
  /// @param bytes of a file that lies elsewhere
  explicit Recording(std::string_view bytes);
  const Digest& digest() const { return *m_digest; }  ///< SHA-256
  std::uint64_t size() const { return m_size; }
  /// Rather too long than too short: a WAV tells its bytes a second, what is compressed is taken for 16 kbit/s.
  std::chrono::seconds length() const { return std::chrono::seconds(m_size / m_bytes_a_second); }
  int fd() const { return m_copy.get(); }

 private:
  void copy(const std::function<std::string_view()>& next, const std::string& name);
  RunFolder m_folder{"recording"};
  UniqueFd m_copy;
  std::optional<Digest> m_digest;
  std::uint64_t m_size = 0, m_bytes_a_second = 1;
};

struct TranscribeTask {
  std::string language = "auto";  ///< ISO 639-1, or "auto"
  bool to_english = false;
  std::string hint;  ///< words that are likely, such as names; on the engine's command line, which all users can read
  fs::path log;      ///< takes the engine's own words
  std::chrono::seconds patience = std::chrono::minutes(10);
  std::uint64_t max_memory = 0;  ///< bytes that all its processes may hold; 0: default_memory_budget()
};

struct Segment {
  std::chrono::milliseconds from{}, to{};
  std::string text;
};

struct Transcript {
  std::string language;
  std::vector<Segment> segments;
  std::string text() const;
};

/// "de", "yue", or "auto".
bool is_language(std::string_view text);

/// What is asked and told while an engine hears; on the thread that waits for it.
struct TranscriptionWatch {
  std::function<bool()> stopped;                    ///< the engine is killed where it says so
  std::function<void(std::uint64_t bytes)> holds;   ///< what its processes hold in memory, about once a second
  std::function<void(const std::string&)> suspect;  ///< once what it did that none should, before it is ended for it
};

/// An engine that hears one recording; it ends with the object.
class Transcription {
 public:
  /// Starts it. @param model, recording outlive the object
  /// @throws Error{model_unsupported} where the model is none of whisper.cpp, what Sandbox throws
  Transcription(const InstalledEngine& engine, const CheckedModel& model, const Recording& recording,
                const TranscribeTask& task);
  /// Waits for its end.
  /// @throws Error{usage} for a recording that cannot be decoded, Error{engine_failed} when the engine ends, hangs
  ///         or does what none for speech does; no message holds what it wrote
  /// @return what it wrote, for read_transcript()
  std::string finish(const TranscriptionWatch& watch);

 private:
  int wait_for_end(const TranscriptionWatch& watch);
  const CheckedModel& m_model;
  const TranscribeTask m_task;
  const RunFolder m_folder{"transcribe"};
  Sandbox m_sandbox;
};

/// What whisper-cli wrote with -oj. @throws Error{engine_failed}
Transcript read_transcript(std::string_view json);

/// SubRip, and WebVTT (W3C).
std::string to_srt(const Transcript& transcript);
std::string to_vtt(const Transcript& transcript);

}  // namespace liftlock::engine
