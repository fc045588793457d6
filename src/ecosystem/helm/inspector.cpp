#include "ecosystem/helm/inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "ecosystem/helm/chart.hpp"

namespace liftlock::helm {
namespace {

constexpr std::array<std::string_view, 1> k_kinds{k_kind};

void check(const Artifact& artifact, int fd, Json& facts) {
  if (artifact.files.size() != 1 || artifact.files[0].path.text() != path_in_bundle(artifact.name, artifact.version)) {
    fail(ErrorCode::package_malformed, "a chart has one file, '{}'", path_in_bundle(artifact.name, artifact.version));
  }
  auto chart = read_chart(fd);
  const auto name = chart.metadata.value("name", ""), version = chart.metadata.value("version", "");
  if (name != artifact.name || version != artifact.version) {
    fail(ErrorCode::package_malformed, "Chart.yaml is that of {} {}, the artifact is {}", name, version,
         printable(artifact.id()));
  }
  facts = {{"chart", std::move(chart.metadata)}, {"files", chart.files}};
  if (!artifact.facts.empty() && artifact.facts != facts) {
    fail(ErrorCode::package_malformed, "the artifact's facts are not those of the chart");
  }
  // Not one of those that an artifact states: it has a place of its own there.
  if (!chart.license.empty()) facts["license"] = std::move(chart.license);
}

}  // namespace

std::span<const std::string_view> ChartInspector::kinds() const {
  return k_kinds;
}

Inspection ChartInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  try {
    check(artifact, files[0], out.facts);
  } catch (const Error& error) {
    out.findings.push_back({error.code(), artifact.files[0].path.text(), printable(error.what())});
  }
  return out;
}

std::string path_in_bundle(std::string_view name, std::string_view version) {
  return fmt::format("charts/{}-{}.tgz", name, version);
}

}  // namespace liftlock::helm
