// Inside of ModelHost: one engine of one model, from the load gate to its end. On the model's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "audit/audit_log.hpp"
#include "engine/choices.hpp"
#include "engine/engine_process.hpp"
#include "engine/hosted_model.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_host.hpp"
#include "os/sandbox.hpp"
#include "store/blob_store.hpp"

namespace liftlock::engine {

/// How soon a crash, or a time that is up, is noticed.
inline constexpr std::chrono::milliseconds k_look{50};

/// What a host and the runs of its models have in common; outlives them.
struct HostShare {
  const HostOptions& options;
  AuditLog& log;
  const std::string& actor;
  const BlobStore& store;
  const Choices& defaults;
  std::mutex& mutex;                 ///< of all that changes in HostedModel
  std::condition_variable& changed;  ///< told when a run has to look again
  const bool& stopping;              ///< with the mutex
  /// Gives free slots of the model's engine to those who wait. With the mutex.
  std::function<void(HostedModel&, Afterwards&)> grant;
};

class ModelRun {
 public:
  ModelRun(const HostShare& host, HostedModel& model) : m_host(host), m_model(model) {}

  /// Why an engine's run ended.
  enum class End : std::uint8_t {
    left,     ///< nobody used it, or another model needed its room
    stopped,  ///< with the host
    failed,   ///< by itself, or ended by us as it no longer did what it should
    blamed,   ///< the same, at requests of one caller alone
    held,     ///< it worked on for requests that were given up
  };
  /// Loads the model, keeps it running and says why it no longer does. @throws Error when it could not be loaded
  End run();

 private:
  SandboxSpec spec_of(const InstalledEngine& engine, const CheckedModel& opened, const fs::path& folder) const;
  /// Says what is to be said about the end of a run, before it is brought about where that is ours to do.
  End supervise(Sandbox& sandbox, const std::string& engine);
  End watch(Sandbox& sandbox, std::string& reason);
  /// nullopt: it keeps within what an engine needs.
  std::optional<std::string> excess(EngineAtWork& process, const Sandbox& sandbox) const;
  /// Tells of an engine that did what no server of models does, and is ended for it.
  void suspect(const std::string& engine, const std::string& what);
  /// Does it leave a request without an answer, and no slot is at work on it? One look says nothing: a prompt may be on
  /// its way in, or a last byte on its way out.
  /// @param since the first look of those that, one after the other, saw that
  bool forgot_a_request(const EngineAtWork& process, std::optional<std::chrono::steady_clock::time_point>& since) const;
  /// Frees the slots whose request was given up once the engine works on no more than what is asked of it.
  void look_at_slots(EngineAtWork& process);
  /// From here on nobody gets a slot of the engine, which ended or will be. Says whose fault it was where that is
  /// known: who sends what ends engines shall not take the model from the others.
  End failed();
  bool is_stopping() const;
  /// A log that cannot be written must not keep an engine alive; the next start will be refused.
  void tell(const AuditEvent& event) const;
  /// @param engine NAME/VERSION-VARIANT
  AuditEvent event(std::string type, const std::string& engine, Outcome outcome, const std::string& reason) const;

  const HostShare& m_host;
  HostedModel& m_model;
};

}  // namespace liftlock::engine
