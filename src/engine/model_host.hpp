// Keeps models running: loads them through the load gate when somebody asks, shares out their slots, unloads what
// nobody used for long or what must make room, and starts again what crashed. One thread per running model does all of
// that model's waiting, so that no model waits for another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/circuit_breaker.hpp"
#include "base/error.hpp"
#include "engine/lease.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_task.hpp"
#include "engine/running.hpp"
#include "os/file.hpp"

namespace liftlock::engine {

struct HostOptions {
  fs::path store_folder, catalog_file, engines_folder;
  fs::path defaults_file;           ///< Choices: the engine of each format
  fs::path aliases_file;            ///< Choices: the model of each alias
  GatePolicy gate;                  ///< what a load needs besides right bytes
  fs::path log_folder;              ///< MODEL.log each, and of the run before MODEL.log.1
  std::uint64_t memory_budget = 0;  ///< bytes for all engines together, room() too; 0: default_memory_budget()
  std::chrono::seconds keep_alive{1800};
  unsigned slots = 2;                           ///< requests that one model answers at a time
  unsigned context = 0;                         ///< tokens of one request; 0: see memory_need()
  std::size_t queue = 64;                       ///< requests that may wait for one model
  std::chrono::seconds patience{300};           ///< for an engine to load, and for others to make room
  std::chrono::milliseconds probe_every{5000};  ///< health of an engine that is at work
  /// Without a good answer to a probe, or with a request to answer and no slot at work on it: killed, started again.
  std::chrono::milliseconds stuck_after{30000};
  /// The same of what only its work loop answers (WorkProbe): a step of it may take a slow machine minutes.
  std::chrono::milliseconds work_patience{600'000};
  /// For an engine to notice that a request was given up; one that works on is started again.
  std::chrono::milliseconds let_go_within{60000};
  /// What an engine may hold in memory beyond one and a half times what its model needs; past it, it is ended.
  std::uint64_t memory_slack = 512u << 20;
  /// Of a caller at whose requests alone an engine ended; many people may share one key, so the rest is short.
  BreakerTerms caller_terms{.failures = 2, .window = std::chrono::minutes(10), .rest = std::chrono::minutes(1)};
};

struct NamedModel;  // engine/named_models.hpp

/// What may be asked of a model, told without loading it.
struct Offer {
  std::string model;  ///< its name in the catalog: an alias leads to it
  ModelTask task = ModelTask::text;
  unsigned context = 0;                     ///< tokens of one request
  std::shared_ptr<const NamedModel> named;  ///< the very model that a lease of this offer is of
};

/// Memory that somebody has of a host's budget; it is given back with the last copy.
using MemoryRoom = std::shared_ptr<const void>;

/// All members may be called from several threads, also from within a Got.
class ModelHost {
 public:
  /// @param log outlives the host; gets model.load, engine.start, engine.stop and engine.suspicious
  /// @param actor of these entries
  ModelHost(HostOptions options, AuditLog& log, std::string actor);
  /// Stops every engine; who waits gets engine_unavailable.
  ~ModelHost();
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;

  /// Must not throw and must not block: it runs on a thread that serves others, too.
  using Got = std::function<void(std::variant<std::shared_ptr<Lease>, Error>)>;

  /// Waits for a slot of the model and loads it when needed; `got` is called exactly once unless cancel() came first:
  /// at once, or on a thread of the host. Errors: not_found, ambiguous (the name); model_unfit, model_unsupported,
  /// blob_corrupt (it cannot be loaded); overloaded (the queue is full, or no memory became free); engine_failed;
  /// engine_unavailable (it failed again and again, or ended again and again at requests of this caller alone);
  /// audit_unwritable, disk_full.
  /// @param caller who takes turns with others
  /// @param keep_alive how long it stays loaded after this use; zero: as the options say
  /// @return for cancel()
  std::uint64_t lease(const std::string& model, const std::string& caller, std::chrono::seconds keep_alive, Got got);
  /// The same of a model whose name was looked up already.
  std::uint64_t lease(const Offer& offer, const std::string& caller, std::chrono::seconds keep_alive, Got got);
  /// Nothing when `got` was called already, or is on its way.
  void cancel(std::uint64_t ticket);
  /// @throws Error{not_found, ambiguous}
  Offer offer(const std::string& model);
  /// Stops its engine as soon as nobody uses it. Nothing when it is not loaded. @throws Error{not_found, ambiguous}
  void unload(const std::string& model);
  /// Memory for an engine that this host does not run, out of the same budget. Waits for it as a model does: what is
  /// not used leaves, what is at work is waited for, and models wait for what was given here. Where that alone leaves
  /// too little, no model leaves in vain.
  /// @param model for messages
  /// @param look called in between; what it throws ends the wait. Must not call the host
  /// @return must not outlive the host
  /// @throws Error{overloaded} when none became free, Error{engine_unavailable} when the host stops
  MemoryRoom room(const std::string& model, std::uint64_t size, const std::function<void()>& look);
  /// Everything that loads, runs or failed, by name.
  std::vector<Running> running() const;
  /// Of every model that was asked for, by name.
  std::vector<LoadCounts> loads() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> m_impl;
};

}  // namespace liftlock::engine
