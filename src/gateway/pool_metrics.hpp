// Gauges and counters of pools in Prometheus' text format.
#pragma once

#include <string>
#include <vector>

#include "pool/pools.hpp"

namespace liftlock {

/// Empty without pools.
std::string pool_metrics(const std::vector<pool::EndpointState>& endpoints);

}  // namespace liftlock
