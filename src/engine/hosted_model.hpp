// Inside of ModelHost: what it knows of one model that somebody asked for.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/circuit_breaker.hpp"
#include "engine/fair_queue.hpp"
#include "engine/load_gate.hpp"
#include "engine/model_host.hpp"
#include "engine/named_models.hpp"

namespace liftlock::engine {

/// A request that waits for a slot.
struct Waiting {
  ModelHost::Got got;
  std::string caller;
  std::chrono::seconds keep_alive;
};

/// One start of an engine, and who uses it; leases hold on to it.
struct EngineAtWork {
  explicit EngineAtWork(std::shared_ptr<const EngineRun> its_run) : run(std::move(its_run)) {}

  const std::shared_ptr<const EngineRun> run;
  std::vector<std::shared_ptr<SlotUse>> uses;      ///< slots that are taken; those given up until the engine let go
  std::chrono::steady_clock::time_point given_up;  ///< when the first of these was
  std::uint64_t resident = 0;                      ///< bytes, when it was looked at last

  bool is_at_work() const {
    return std::any_of(uses.begin(), uses.end(), [](const auto& use) { return !use->given_up; });
  }
  std::size_t count_given_up() const {
    return static_cast<std::size_t>(
        std::count_if(uses.begin(), uses.end(), [](const auto& use) { return use->given_up; }));
  }
};

/// A model that somebody asked for; never goes away before the host, so that its failures are remembered.
struct HostedModel {
  HostedModel(const NamedModel& named, std::size_t capacity)
      : artifact(named.artifact),
        digest(main_digest(artifact).text()),
        need(named.need),
        architecture(named.facts.value("architecture", std::string())),
        task(named.task),
        queue(capacity) {
    counts.model = artifact.name;
  }

  const Artifact artifact;
  const std::string digest;
  const MemoryNeed need;
  const std::string architecture;  ///< empty when nobody inspected it
  const ModelTask task;

  // guarded by the host's mutex
  enum class State : std::uint8_t { unloaded, loading, ready };
  State state = State::unloaded;
  FairQueue<Waiting> queue;
  std::shared_ptr<EngineAtWork> process;  ///< while ready
  CircuitBreaker breaker;
  std::map<std::string, CircuitBreaker> callers;     ///< those at whose requests alone the engine ended
  std::chrono::steady_clock::time_point one_by_one;  ///< until then
  std::chrono::seconds keep_alive{};
  std::chrono::steady_clock::time_point used;
  Timestamp since{};
  std::string leave;           ///< why it shall stop once nobody uses it
  std::string_view assurance;  ///< of the bytes that its engine has
  LoadCounts counts;
  bool has_failed = false;  ///< the next engine is a restart
  bool has_thread = false;
  std::thread thread;
};

/// Calls to run once the lock is gone: declare it before the lock.
class Afterwards {
 public:
  Afterwards() = default;
  ~Afterwards() {
    for (const auto& call : m_calls) call();
  }
  Afterwards(const Afterwards&) = delete;
  Afterwards& operator=(const Afterwards&) = delete;
  void add(std::function<void()> call) { m_calls.push_back(std::move(call)); }

 private:
  std::vector<std::function<void()>> m_calls;
};

}  // namespace liftlock::engine
