// Where traces go, as [telemetry] of config.toml says.
#pragma once

#include <memory>

#include "site/site.hpp"
#include "trace/trace_exporter.hpp"

namespace liftlock {

/// Nothing where no collector is named. @throws Error{config_invalid, tls_invalid}
std::unique_ptr<TraceExporter> trace_exporter(const Site& site);

}  // namespace liftlock
