// Counters of the mirror in Prometheus' text format.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "net/server.hpp"

namespace liftlock {

/// Values that are asked for when /metrics is read.
struct MirrorGauges {
  std::uint64_t connections = 0;      ///< open now
  std::uint64_t view_generation = 0;  ///< Catalog::generation() of what is served
  std::uint64_t artifacts = 0;
  std::uint64_t publications = 0;
  std::uint64_t published_bytes = 0;  ///< each distinct blob once
  std::uint64_t free_bytes = 0;       ///< on the store's file system
  std::uint64_t audited_reads = 0;    ///< since the start
  bool audit_healthy = true;          ///< could the last reads be written to the audit log?
  bool audit_damaged = false;         ///< what the last check of the whole log said
  std::int64_t audit_checked = 0;     ///< when that was, in seconds since 1970; 0: not yet
  std::uint64_t access_log_lines = 0;
  std::uint64_t access_log_dropped = 0;
};

/// Since the start. All members may be called from several threads.
class Metrics {
 public:
  /// By route and status; HttpExchange::route lives as long as the program.
  void count(const HttpExchange& exchange);
  /// https://prometheus.io/docs/instrumenting/exposition_formats/
  std::string text(const MirrorGauges& gauges) const;

 private:
  struct Counts {
    std::uint64_t requests = 0;
    std::uint64_t bytes = 0;
  };
  mutable std::mutex m_mutex;
  std::map<std::pair<std::string_view, int>, Counts> m_counts;
};

}  // namespace liftlock
