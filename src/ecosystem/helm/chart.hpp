// A Helm chart: https://helm.sh/docs/topics/charts/. A gzipped tar with one folder that holds Chart.yaml.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "archive/package_tar.hpp"
#include "base/json.hpp"

namespace liftlock::helm {

/// Letters, digits, '.', '_' and '-', beginning with a letter or digit; at most 250 bytes.
bool is_chart_name(std::string_view name);
/// A semantic version, a leading 'v' included, at most 128 bytes. Helm's index insists on it.
bool is_chart_version(std::string_view version);

struct ChartFileName {
  std::string name, version;
  /// Of "NAME-VERSION.tgz", as `helm package` calls it.
  static std::optional<ChartFileName> parse(std::string_view filename);
};

/// In a registry: the media types of a chart's metadata and of its archive.
inline constexpr std::string_view k_config_type = "application/vnd.cncf.helm.config.v1+json";
inline constexpr std::string_view k_content_type = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// A tag has no '+'; helm writes '_' for it, and reads it so.
std::string chart_tag(std::string_view version);

/// What Chart.yaml states, as a repository's index repeats it: strings, but for `deprecated`; of `dependencies` name,
/// version, repository, condition, alias; of `maintainers` name, email, url. Other members are left out.
/// @throws Error{package_malformed, json_duplicate_key, limit_exceeded}
Json parse_chart_yaml(std::string_view text);

/// The annotation `artifacthub.io/license`, a name or an expression of SPDX, as license_text() has it; empty where
/// there is none. https://artifacthub.io/docs/topics/annotations/helm/. @throws as parse_chart_yaml
std::string annotated_license(std::string_view text);

struct Chart {
  Json metadata;  ///< with `name` and `version`
  std::uint64_t files = 0;
  std::string license;
};

/// The folder is called as the chart; every dependency of Chart.yaml without a condition lies in charts/, for nobody
/// can fetch it later. @throws Error{package_malformed, path_unsafe, path_collision, not_regular, limit_exceeded,
/// json_duplicate_key}
Chart read_chart(int fd, const TarLimits& limits = {});

}  // namespace liftlock::helm
