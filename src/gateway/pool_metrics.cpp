#include "gateway/pool_metrics.hpp"

#include <fmt/format.h>

namespace liftlock {

std::string pool_metrics(const std::vector<pool::EndpointState>& endpoints) {
  if (endpoints.empty()) return {};
  std::string out;
  // Names of pools and addresses were read by parsers that let nothing through which would have to be escaped.
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help, const auto& value) {
    out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
    for (const auto& one : endpoints) {
      out += fmt::format("{}{{pool=\"{}\",endpoint=\"{}\"}} {}\n", name, one.pool, one.address, value(one));
    }
  };
  family("liftlock_pool_endpoint_up", "gauge", "Whether the endpoint answers; 0 also while it rests.",
         [](const auto& one) { return one.up ? 1 : 0; });
  family("liftlock_pool_active_requests", "gauge", "Requests that the endpoint answers.",
         [](const auto& one) { return one.active; });
  family("liftlock_pool_requests_total", "counter", "Requests that were sent to the endpoint.",
         [](const auto& one) { return one.requests; });
  family("liftlock_pool_failures_total", "counter", "Requests that the endpoint failed.",
         [](const auto& one) { return one.failures; });
  return out;
}

}  // namespace liftlock
