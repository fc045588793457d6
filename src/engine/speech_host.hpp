// Turns recordings into text. Each recording has a process of its own (transcriber.hpp), and for each the model passes
// the load gate. A model hears one recording after the other, on a thread that lives while recordings wait for it; so
// there are as many threads as models at most, and no model waits for another, unless for its memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "artifact/artifact.hpp"
#include "audit/audit_log.hpp"
#include "base/circuit_breaker.hpp"
#include "base/error.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_host.hpp"
#include "engine/running.hpp"
#include "engine/transcriber.hpp"

namespace liftlock::engine {

struct SpeechOptions {
  fs::path store_folder, engines_folder;
  fs::path defaults_file;  ///< Choices: the engine of each format
  GatePolicy gate;
  fs::path log_folder;     ///< MODEL.log each, and of the recording before MODEL.log.1
  std::size_t queue = 16;  ///< recordings that may wait for one model
  /// What an engine may take for a recording: this, and for each of its seconds so many; six hours at most.
  std::chrono::seconds patience = std::chrono::minutes(10);
  unsigned pace = 2;
  std::uint64_t memory = 0;  ///< bytes for all engines together; 0: default_memory_budget()
  /// What an engine may hold beyond one and a half times what it needs; past it, it is ended.
  std::uint64_t memory_slack = 512u << 20;
  /// Takes what an engine needs out of `memory`: ModelHost::room(). Where there is none, no other engine takes of it.
  std::function<MemoryRoom(const std::string& model, std::uint64_t size, const std::function<void()>& look)> room = {};
  /// A model whose engine failed so often is left alone: by a caller, at whose recordings it did; by all, where it did
  /// at the recordings of so many callers, and heard none in between.
  BreakerTerms terms{.failures = 3, .window = std::chrono::minutes(10), .rest = std::chrono::minutes(1)};
};

struct Transcribed {
  Transcript transcript;
  std::string digest;  ///< of the model's file, as it was checked
  std::string engine;  ///< NAME/VERSION-VARIANT
};

/// All members may be called from several threads, also from within a Got.
class SpeechHost {
 public:
  /// @param log outlives the host; gets model.load, engine.start, engine.stop and engine.suspicious
  SpeechHost(SpeechOptions options, AuditLog& log, std::string actor);
  /// Ends what is at work; who waits gets engine_unavailable.
  ~SpeechHost();
  SpeechHost(const SpeechHost&) = delete;
  SpeechHost& operator=(const SpeechHost&) = delete;

  /// Must not throw and must not block.
  using Got = std::function<void(std::variant<Transcribed, Error>)>;

  /// `got` is called exactly once, here or on a thread of the host, unless cancel() came first. Errors: overloaded (the
  /// queue is full, or no memory became free); model_unfit (the memory is too small for the model); engine_unavailable
  /// (none is installed; or it failed again and again, with recordings of many or of this caller alone); what
  /// pass_gate() and Transcription throw.
  /// @param model as its name was looked up: what hears is this one, whatever the name leads to meanwhile
  /// @param caller who takes turns with others
  /// @return for cancel()
  std::uint64_t transcribe(const Artifact& model, const std::string& caller, std::shared_ptr<const Recording> recording,
                           TranscribeTask task, Got got);
  /// Its process ends, too, when it is at work. Nothing when `got` was called already, or is on its way.
  void cancel(std::uint64_t ticket);

  /// Everything that hears, or failed, by name. "ready" is an engine that is at its recording, "loading" all before.
  std::vector<Running> running() const;
  /// Of every model that was asked for, by name.
  std::vector<LoadCounts> loads() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock::engine
