#include "cli/trace_settings.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/pool_settings.hpp"

namespace liftlock {

std::unique_ptr<TraceExporter> trace_exporter(const Site& site) {
  const auto& config = site.config();
  if (!config.otlp_endpoint) return nullptr;
  const auto address = HttpAddress::parse(*config.otlp_endpoint);
  if (!address) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml: 'otlp_endpoint' of [telemetry] is no address: '{}'",
                            printable(*config.otlp_endpoint)),
                "write it as \"http://10.0.0.9:4318\"; /v1/traces is added");
  }
  auto networks = pool_networks(site);
  if (const auto literal = IpAddress::parse(address->host); literal && !networks->contain(*literal)) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml: 'otlp_endpoint' of [telemetry], {}, is in none of the allowed networks",
                            address->text()),
                "add its network to networks under [gateway]");
  }
  if (address->tls && !config.otlp_ca_file) {
    fail(ErrorCode::config_invalid, "config.toml: 'otlp_endpoint' of [telemetry] is https and needs 'ca_file'");
  }
  TraceExporterOptions options;
  options.collector = {*address, std::move(networks), address->tls ? make_client_tls(*config.otlp_ca_file) : nullptr};
  return std::make_unique<TraceExporter>(std::move(options));
}

}  // namespace liftlock
