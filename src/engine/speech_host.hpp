// Turns recordings into text one after the other. Each recording has a process of its own (transcriber.hpp), and for
// each the model passes the load gate.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_host.hpp"
#include "engine/transcriber.hpp"

namespace liftlock::engine {

struct SpeechOptions {
  fs::path store_folder, catalog_file, engines_folder;
  fs::path defaults_file, aliases_file;  ///< Choices
  GatePolicy gate;
  fs::path log;            ///< takes the engines' own words
  std::size_t queue = 16;  ///< recordings that may wait
  /// What an engine may take for a recording: this, and for each of its seconds so many; six hours at most.
  std::chrono::seconds patience = std::chrono::minutes(10);
  unsigned pace = 2;
  std::uint64_t memory = 0;  ///< bytes for all engines together; 0: default_memory_budget()
  /// What an engine may hold beyond one and a half times what it needs; past it, it is ended.
  std::uint64_t memory_slack = 512u << 20;
  /// Takes what an engine needs out of `memory`: ModelHost::room(). Where there is none, no other engine takes of it.
  std::function<MemoryRoom(const std::string& model, std::uint64_t size, const std::function<void()>& look)> room = {};
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

  /// `got` is called exactly once, here or on the host's thread, unless cancel() came first. Errors: not_found,
  /// ambiguous (the name); overloaded (the queue is full, or no memory became free); model_unfit (the memory is too
  /// small for the model); engine_unavailable (none is installed); what pass_gate() and transcribe() throw.
  /// @param caller who takes turns with others
  /// @return for cancel()
  std::uint64_t transcribe(const std::string& model, const std::string& caller,
                           std::shared_ptr<const Recording> recording, TranscribeTask task, Got got);
  /// Its process ends, too, when it is at work. Nothing when `got` was called already, or is on its way.
  void cancel(std::uint64_t ticket);

  /// By the model's name in the catalog: engines that were ended since the host began for what no engine for speech
  /// does.
  std::map<std::string, std::uint64_t> suspicious() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock::engine
