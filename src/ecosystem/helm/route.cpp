#include "ecosystem/helm/route.hpp"

#include <algorithm>
#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/helm/chart_index.hpp"

namespace liftlock::helm {
namespace {

constexpr std::string_view k_prefix = "/charts/";

class ChartRoute : public Route {
 public:
  ChartRoute(const MirrorView& view, const RouteEnvironment& environment) : m_blobs(environment.blobs) {
    ChartIndex index;
    Timestamp newest{};
    for (const auto& mirrored : view.artifacts) {
      const auto& artifact = mirrored.artifact;
      // Newest last: of two contents under one name and version the newer publication's is served.
      if (!index.add(artifact, format_time(mirrored.published_at))) continue;
      const auto& file = artifact.files[0];
      const std::string filename(file.path.filename());
      m_files.insert_or_assign(filename, file);
      m_files.insert_or_assign(artifact.name + "/" + filename, file);
      newest = std::max(newest, mirrored.published_at);
    }
    m_index = std::make_shared<const std::string>(index.text(format_time(newest)));
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Helm charts: a chart repository"; }
  std::vector<std::string> clients() const override { return {"helm"}; }

  std::string client_configuration(std::string_view base_url) const override {
    return fmt::format(
        "helm repo add liftlock {0}/charts/{1}\nhelm install RELEASE liftlock/CHART --version VERSION\n"
        "# without the repository: helm install RELEASE {0}/charts/CHART-VERSION.tgz\n",
        base_url,
        base_url.starts_with("https://") ? "   # --ca-file FILE where the system does not know the mirror's CA" : "");
  }

  HttpResponse handle(const HttpRequest& request) const override {
    auto path = request.path;
    path.remove_prefix(std::min(path.size(), k_prefix.size()));
    if (path == "index.yaml") {
      HttpResponse response;
      response.set("Content-Type", "application/yaml");
      response.set("Cache-Control", "no-cache");
      response.set("ETag", "\"" + sha256(*m_index).hex() + "\"");
      response.body = m_index;
      return response;
    }
    if (const auto found = m_files.find(path); found != m_files.end()) {
      return blob_response(m_blobs, found->second, "application/gzip");
    }
    throw Error(ErrorCode::not_found, fmt::format("the mirror has no chart archive '{}'", printable(path)),
                "/charts/index.yaml lists what there is; name others as [chart.NAME] on the low side");
  }

 private:
  const BlobStore& m_blobs;
  std::map<std::string, ArtifactFile, std::less<>> m_files;  ///< by FILE, and by CHART/FILE
  std::shared_ptr<const std::string> m_index;
};

}  // namespace

std::unique_ptr<const Route> make_chart_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment) {
  return std::make_unique<ChartRoute>(*view, environment);
}

}  // namespace liftlock::helm
