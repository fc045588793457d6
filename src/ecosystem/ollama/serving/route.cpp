#include "ecosystem/ollama/serving/route.hpp"

#include <algorithm>

#include "ecosystem/oci/made_registry.hpp"
#include "ecosystem/ollama/serving/model.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::string_view k_prefix = "/v2/ollama/";

class OllamaRoute : public Route {
 public:
  OllamaRoute(const std::shared_ptr<const MirrorView>& view, const RouteEnvironment& environment)
      : m_registry(environment.blobs, k_prefix) {
    std::vector<const MirroredArtifact*> models;
    for (const auto& mirrored : view->artifacts) {
      if (mirrored.artifact.kind == "model" && could_be_model(mirrored.artifact)) models.push_back(&mirrored);
    }
    std::stable_sort(models.begin(), models.end(),
                     [](const auto* a, const auto* b) { return a->published_at < b->published_at; });
    for (const auto* model : models) {
      const auto& artifact = model->artifact;
      // The view lives as long as the route does.
      m_registry.add(fit_part(artifact.name), {fit_part(artifact.version), std::string(k_default_tag)},
                     [view, &artifact, &blobs = environment.blobs] {
                       auto made = make_model(artifact, blobs);
                       return oci::MadeManifest{std::move(made.manifest), std::string(media::manifest),
                                                std::move(made.made), std::move(made.stored)};
                     });
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Models for ollama pull"; }
  std::vector<std::string> clients() const override { return {"ollama"}; }
  std::string client_configuration(std::string_view base_url) const override {
    const bool plain = base_url.starts_with("http://");
    const auto host = base_url.substr(base_url.find("://") + 3);
    return fmt::format(
        "ollama pull {}{}/ollama/{}\n{}", plain ? "--insecure " : "", host, m_registry.example(),
        plain ? "" : "# the mirror's CA has to be in the trust store of the machine that runs `ollama serve`\n");
  }
  HttpResponse handle(const HttpRequest& request) const override { return m_registry.handle(request); }

 private:
  oci::MadeRegistry m_registry;
};

}  // namespace

std::unique_ptr<const Route> make_ollama_route(std::shared_ptr<const MirrorView> view,
                                               const RouteEnvironment& environment) {
  return std::make_unique<OllamaRoute>(view, environment);
}

}  // namespace liftlock::ollama
