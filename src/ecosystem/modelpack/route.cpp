#include "ecosystem/modelpack/route.hpp"

#include <algorithm>

#include "ecosystem/modelpack/modelpack.hpp"

namespace liftlock::modelpack {
namespace {

constexpr std::string_view k_prefix = "/v2/modelpack/";

class ModelpackRoute : public Route {
 public:
  ModelpackRoute(const std::shared_ptr<const MirrorView>& view, const RouteEnvironment& environment)
      : m_registry(environment.blobs, k_prefix) {
    std::vector<const MirroredArtifact*> models;
    for (const auto& mirrored : view->artifacts) {
      if (mirrored.artifact.kind == "model") models.push_back(&mirrored);
    }
    std::stable_sort(models.begin(), models.end(),
                     [](const auto* a, const auto* b) { return a->published_at < b->published_at; });
    for (const auto* model : models) {
      const auto& artifact = model->artifact;
      const bool whole = std::all_of(artifact.files.begin(), artifact.files.end(),
                                     [&](const auto& file) { return environment.blobs.contains(file.digest); });
      if (!whole) continue;
      // The view lives as long as the route does.
      m_registry.add(repository_name(artifact), {tag_of(artifact), "latest"},
                     [view, &artifact] { return make_modelpack(artifact); });
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Models as OCI artifacts (CNCF ModelPack)"; }
  std::vector<std::string> clients() const override { return {"modctl", "oras"}; }
  std::string client_configuration(std::string_view base_url) const override {
    const bool plain = base_url.starts_with("http://");
    const auto host = base_url.substr(base_url.find("://") + 3);
    return fmt::format("skopeo copy {0}docker://{1}/modelpack/{2} oci:model\noras pull {3}{1}/modelpack/{2}\n",
                       plain ? "--src-tls-verify=false " : "", host, m_registry.example(),
                       plain ? "--plain-http " : "");
  }
  HttpResponse handle(const HttpRequest& request) const override { return m_registry.handle(request); }

 private:
  oci::MadeRegistry m_registry;
};

}  // namespace

std::unique_ptr<const Route> make_modelpack_route(std::shared_ptr<const MirrorView> view,
                                                  const RouteEnvironment& environment) {
  return std::make_unique<ModelpackRoute>(view, environment);
}

}  // namespace liftlock::modelpack
