#include "ecosystem/helm/chart_manifest.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "ecosystem/oci/reference.hpp"

namespace liftlock::helm {

const ArtifactFile& chart_archive(const Artifact& chart) {
  const auto metadata = chart.facts.find("chart");
  if (chart.files.size() != 1 || metadata == chart.facts.end() || !metadata->is_object())
    fail(ErrorCode::package_malformed, "'{}' lacks what an index tells of it", printable(chart.id()));
  return chart.files[0];
}

oci::MadeManifest make_chart_manifest(const Artifact& chart) {
  const auto& file = chart_archive(chart);
  if (!oci::is_repository(chart.name))
    fail(ErrorCode::usage, "'{}' is no name that a registry takes: lower case only", printable(chart.name));
  auto config = dump_json_line(chart.facts.at("chart"));
  const auto config_digest = sha256(config);
  const Json manifest = {
      {"schemaVersion", 2},
      {"mediaType", oci::media::oci_manifest},
      {"config", {{"mediaType", k_config_type}, {"digest", config_digest.text()}, {"size", config.size()}}},
      {"layers", {{{"mediaType", k_content_type}, {"digest", file.digest.text()}, {"size", file.size}}}},
      {"annotations",
       {{"org.opencontainers.image.title", chart.name}, {"org.opencontainers.image.version", chart.version}}}};
  oci::MadeManifest out;
  out.media_type = oci::media::oci_manifest;
  out.bytes = dump_json_line(manifest);
  out.made.emplace(config_digest, std::move(config));
  out.stored.emplace(file.digest, file);
  return out;
}

}  // namespace liftlock::helm
