// What `serve` needs besides the mirror to answer for models.
#pragma once

#include <memory>
#include <string>

#include "access/gatekeeper.hpp"
#include "audit/audit_log.hpp"
#include "engine/model_host.hpp"
#include "engine/speech_host.hpp"
#include "engine/wanted_engines.hpp"
#include "gateway/gateway.hpp"
#include "pool/pools.hpp"
#include "record/record_book.hpp"
#include "server/readiness.hpp"
#include "site/site.hpp"

namespace liftlock {

/// As [policy] of config.toml says.
engine::GatePolicy gate_policy(const Site& site);
/// As [models] of config.toml says.
engine::HostOptions host_options(const Site& site);
engine::SpeechOptions speech_options(const Site& site);
/// As [record] of config.toml says.
RecordBook::Options record_options(const Site& site);
RecordPolicy record_policy(const Site& site);

class ModelServing {
 public:
  /// @param log outlives this object. @throws Error{busy} when another process of this installation answers for models
  ModelServing(const Site& site, AuditLog& log, const std::string& actor);

  Gateway& gateway() { return m_gateway; }
  /// Of what answers for models; this object must outlive them.
  std::vector<ReadinessCheck> checks();

 private:
  engine::WantedEngines wanted();
  std::optional<std::string> why_no_engine();
  std::optional<std::string> why_no_sandbox();

  const Site m_site;
  const Catalog m_catalog;  ///< of the checks' thread; Access::write: a reader may have a copy, which stays as it is
  const engine::Choices m_defaults;
  std::uint64_t m_generation = 0;
  engine::WantedEngines m_wanted;  ///< at that generation
  bool m_has_sandbox = false;      ///< there was one, once
  std::chrono::steady_clock::time_point m_next_probe;
  // In this order: what is made last goes first, engines before the record that they answer into.
  RecordBook m_book;
  Gatekeeper m_gatekeeper;
  engine::ModelHost m_host;
  engine::SpeechHost m_speech;
  pool::Pools m_pools;
  std::unique_ptr<TraceExporter> m_traces;  ///< where [telemetry] names a collector
  Gateway m_gateway;
};

}  // namespace liftlock
