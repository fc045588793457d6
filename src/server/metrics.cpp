#include "server/metrics.hpp"

#include <fmt/format.h>

#include <iterator>

namespace liftlock {
namespace {

void gauge(std::string& out, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
}

}  // namespace

void Metrics::count(const HttpExchange& exchange) {
  const std::lock_guard lock(m_mutex);
  auto& counts = m_counts[{exchange.route, exchange.status}];
  ++counts.requests;
  counts.bytes += exchange.bytes_sent;
}

std::string Metrics::text(const MirrorGauges& gauges) const {
  std::string requests, bytes;
  {
    const std::lock_guard lock(m_mutex);
    for (const auto& [key, counts] : m_counts) {
      const auto route = key.first.empty() ? std::string_view("none") : key.first;
      fmt::format_to(std::back_inserter(requests), "liftlock_http_requests_total{{route=\"{}\",status=\"{}\"}} {}\n",
                     route, key.second, counts.requests);
      fmt::format_to(std::back_inserter(bytes), "liftlock_http_sent_bytes_total{{route=\"{}\",status=\"{}\"}} {}\n",
                     route, key.second, counts.bytes);
    }
  }
  std::string out =
      "# HELP liftlock_http_requests_total Requests answered.\n# TYPE liftlock_http_requests_total counter\n";
  out += requests;
  out += "# HELP liftlock_http_sent_bytes_total Bytes of bodies sent.\n# TYPE liftlock_http_sent_bytes_total counter\n";
  out += bytes;
  gauge(out, "liftlock_http_connections", "gauge", "Open connections.", gauges.connections);
  gauge(out, "liftlock_mirror_generation", "gauge", "Catalog generation that is served.", gauges.view_generation);
  gauge(out, "liftlock_mirror_artifacts", "gauge", "Artifacts that are served.", gauges.artifacts);
  gauge(out, "liftlock_mirror_publications", "gauge", "Publications that are served.", gauges.publications);
  gauge(out, "liftlock_mirror_bytes", "gauge", "Bytes of the distinct blobs that are served.", gauges.published_bytes);
  gauge(out, "liftlock_store_free_bytes", "gauge", "Free bytes of the store's file system.", gauges.free_bytes);
  gauge(out, "liftlock_audit_read_events_total", "counter", "Read events committed to the audit log.",
        gauges.audited_reads);
  gauge(out, "liftlock_audit_healthy", "gauge", "1 while the audit log can be written.", gauges.audit_healthy ? 1 : 0);
  gauge(out, "liftlock_audit_damaged", "gauge", "1 when the last check of the whole audit log found damage.",
        gauges.audit_damaged ? 1 : 0);
  gauge(out, "liftlock_audit_checked_timestamp_seconds", "gauge", "When it ended; 0 before the first has.",
        static_cast<std::uint64_t>(gauges.audit_checked));
  gauge(out, "liftlock_access_log_lines_total", "counter", "Lines written to the access log.", gauges.access_log_lines);
  gauge(out, "liftlock_access_log_dropped_total", "counter", "Lines that the access log's disk did not take.",
        gauges.access_log_dropped);
  out += "# HELP liftlock_build_info Version of the program.\n# TYPE liftlock_build_info gauge\n";
  out += "liftlock_build_info{version=\"" LIFTLOCK_VERSION "\"} 1\n";
  return out;
}

}  // namespace liftlock
