#include "ecosystem/helm/registry_route.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "ecosystem/helm/chart.hpp"
#include "ecosystem/helm/chart_manifest.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/oci/answers.hpp"
#include "ecosystem/oci/image.hpp"
#include "ecosystem/oci/reference.hpp"
#include "ecosystem/oci/route.hpp"

namespace liftlock::helm {
namespace {

constexpr std::string_view k_prefix = "/v2/charts/";

/// Images that are called as if they were charts: the longer prefix is this route's, so that it answers for them.
std::unique_ptr<const Route> images_below(const MirrorView& view, const RouteEnvironment& environment) {
  auto images = std::make_shared<MirrorView>();
  const auto name = k_prefix.substr(std::string_view("/v2/").size());
  for (const auto& mirrored : view.artifacts) {
    const auto& artifact = mirrored.artifact;
    const bool is_below = artifact.name.starts_with(name) || artifact.name + "/" == name;
    if (artifact.kind == oci::k_image_kind && is_below) images->artifacts.push_back(mirrored);
  }
  return images->artifacts.empty() ? nullptr : oci::make_image_route(std::move(images), environment);
}

class ChartRegistryRoute : public Route {
 public:
  ChartRegistryRoute(const std::shared_ptr<const MirrorView>& view, const RouteEnvironment& environment)
      : m_registry(environment.blobs, k_prefix), m_images(images_below(*view, environment)) {
    std::vector<const MirroredArtifact*> charts;
    for (const auto& mirrored : view->artifacts) {
      const auto& chart = mirrored.artifact;
      const bool served = chart.kind == k_kind && chart.files.size() == 1 && oci::is_repository(chart.name) &&
                          environment.blobs.contains(chart.files[0].digest);
      if (served) charts.push_back(&mirrored);
    }
    // Of two contents under one name and version the newer publication's is served, as in the index.
    std::stable_sort(charts.begin(), charts.end(),
                     [](const auto* a, const auto* b) { return a->published_at < b->published_at; });
    for (const auto* one : charts) {
      // The view lives as long as the route does.
      m_names.insert(one->artifact.name);
      m_registry.add(one->artifact.name, {chart_tag(one->artifact.version)},
                     [view, one] { return make_chart_manifest(one->artifact); });
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Helm charts as OCI artifacts"; }
  std::vector<std::string> clients() const override { return {"helm"}; }
  std::string client_configuration(std::string_view base_url) const override {
    const bool plain = base_url.starts_with("http://");
    return fmt::format("helm pull oci://{}/charts/NAME --version VERSION{}\n",
                       base_url.substr(base_url.find("://") + 3),
                       plain ? " --plain-http" : "   # --ca-file FILE where the system does not know the mirror's CA");
  }

  HttpResponse handle(const HttpRequest& request) const override {
    auto path = request.path;
    path.remove_prefix(std::min(path.size(), k_prefix.size()));
    // "charts/NAME/other" may be an image beside the chart NAME.
    const auto asked = oci::split_registry_path(path);
    const bool is_chart = asked && m_names.contains(asked->name);
    return is_chart || !m_images ? m_registry.handle(request) : m_images->handle(request);
  }

 private:
  oci::MadeRegistry m_registry;
  std::set<std::string, std::less<>> m_names;
  std::unique_ptr<const Route> m_images;  ///< nullptr: there are none
};

}  // namespace

std::unique_ptr<const Route> make_chart_registry_route(std::shared_ptr<const MirrorView> view,
                                                       const RouteEnvironment& environment) {
  return std::make_unique<ChartRegistryRoute>(view, environment);
}

}  // namespace liftlock::helm
