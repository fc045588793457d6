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

 private:
  std::shared_ptr<const EngineRun> m_run;
  std::shared_ptr<SlotUse> m_use;
  std::function<void(bool)> m_release;
  bool m_given_up = false;
};

}  // namespace liftlock::engine
