// The right to ask one engine that runs: a slot of it, for one request.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "os/file.hpp"

namespace liftlock::engine {

/// Who uses a slot.
struct SlotUse {
  std::string caller;
  bool given_up = false;             ///< with the host's mutex
  std::atomic<bool> blamed = false;  ///< it was the only request at work when the engine ended
  /// Since when a byte of the engine's is waited for; the epoch: none is.
  std::atomic<std::chrono::steady_clock::time_point> waits_since{};
  std::atomic<bool> is_answered = false;  ///< the first piece of its answer came
};

/// One start of an engine.
struct EngineRun {
  fs::path socket;
  std::string model;                             ///< name in the catalog
  std::string digest;                            ///< of the main file, as it was checked before this engine started
  std::string engine;                            ///< NAME/VERSION-VARIANT
  std::chrono::steady_clock::time_point loaded;  ///< when it became ready
};

/// A slot of a running model, until the object goes. May outlive the host, and the engine: then its socket is dead.
class Lease {
 public:
  Lease(std::shared_ptr<const EngineRun> run, std::shared_ptr<SlotUse> use, std::function<void(bool given_up)> release);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  /// Untrusted: connect with connect_unix(), which follows no link.
  const fs::path& socket() const { return m_run->socket; }
  const std::string& model() const { return m_run->model; }
  const std::string& digest() const { return m_run->digest; }
  const std::string& engine() const { return m_run->engine; }
  std::chrono::steady_clock::time_point loaded() const { return m_run->loaded; }

  /// The answer was not read to its end: the slot is free once the engine let go of the request.
  void give_up() { m_given_up = true; }
  /// Did the engine end with this request as the only one at work? Known half a second after the end.
  bool is_to_blame() const { return m_use->blamed; }

  /// A piece of the answer came.
  void heard() { m_use->is_answered = true; }
  /// While it lives, the next byte is the engine's to say: where none of its slots is at work on that, it is started
  /// again. Without one a slot may idle, as while a client takes its time to read. One at a time.
  class Wait {
   public:
    /// @param lease may be nullptr: then it says nothing
    explicit Wait(const Lease* lease) : m_use(lease == nullptr ? nullptr : lease->m_use) {
      if (m_use) m_use->waits_since = std::chrono::steady_clock::now();
    }
    ~Wait() {
      if (m_use) m_use->waits_since = std::chrono::steady_clock::time_point();
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    std::shared_ptr<SlotUse> m_use;
  };

 private:
  std::shared_ptr<const EngineRun> m_run;
  std::shared_ptr<SlotUse> m_use;
  std::function<void(bool)> m_release;
  bool m_given_up = false;
};

}  // namespace liftlock::engine
