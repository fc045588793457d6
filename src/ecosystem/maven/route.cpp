#include "ecosystem/maven/route.hpp"

#include <map>
#include <mutex>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/maven/checksum.hpp"
#include "ecosystem/maven/repository_layout.hpp"

namespace liftlock::maven {
namespace {

constexpr std::string_view k_prefix = "/maven/";
constexpr std::string_view k_metadata = "/maven-metadata.xml";

HttpResponse page(std::string body, std::string type) {
  HttpResponse response;
  response.set("Content-Type", std::move(type)).set("Cache-Control", "no-cache");
  response.set("ETag", "\"" + sha256(body).hex() + "\"");
  response.body = std::move(body);
  return response;
}

std::string type_of(std::string_view path) {
  if (path.ends_with(".pom") || path.ends_with(".xml")) return "application/xml";
  if (path.ends_with(".jar") || path.ends_with(".war") || path.ends_with(".aar")) return "application/java-archive";
  return "application/octet-stream";
}

class MavenRoute : public Route {
 public:
  MavenRoute(const MirrorView& view, const RouteEnvironment& environment) : m_blobs(environment.blobs) {
    for (const auto& mirrored : view.artifacts) {
      for (const auto& [path, file] : repository_files(mirrored.artifact)) {
        m_files.insert_or_assign(path, file);  // newest last
        add_version(m_modules, *parse_repository_path(path));
      }
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Maven artifacts (mvn, Gradle): a repository of releases"; }
  std::vector<std::string> clients() const override { return {"maven", "mvn"}; }
  std::string client_configuration(std::string_view base_url) const override {
    return fmt::format(
        "<!-- Maven: ~/.m2/settings.xml -->\n"
        "<settings>\n  <mirrors>\n    <mirror>\n      <id>liftlock</id>\n      <mirrorOf>*</mirrorOf>\n"
        "      <url>{}/maven/</url>\n{}    </mirror>\n  </mirrors>\n</settings>\n",
        base_url, base_url.starts_with("http://") ? "      <blocked>false</blocked>\n" : "");
  }
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  std::optional<HttpResponse> find(std::string_view path) const;
  std::optional<HttpResponse> checksum(std::string_view path) const;

  std::string sum_of(const ArtifactFile& file, std::string_view suffix) const;

  const BlobStore& m_blobs;
  std::map<std::string, ArtifactFile, std::less<>> m_files;  ///< by path
  mutable std::mutex m_mutex;
  mutable std::map<std::pair<Digest, std::string>, std::string> m_sums;  ///< made once, by content and algorithm
  Modules m_modules;
};

std::optional<HttpResponse> MavenRoute::find(std::string_view path) const {
  if (const auto file = m_files.find(path); file != m_files.end()) {
    return blob_response(m_blobs, file->second, type_of(path));
  }
  if (!path.ends_with(k_metadata)) return std::nullopt;
  const auto module = m_modules.find(path.substr(0, path.size() - k_metadata.size()));
  if (module == m_modules.end()) return std::nullopt;
  return page(module->second.metadata(), type_of(path));
}

std::optional<HttpResponse> MavenRoute::checksum(std::string_view path) const {
  const auto dot = path.rfind('.');
  const auto suffix = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  if (!Checksum::knows(suffix)) return std::nullopt;
  path = path.substr(0, dot);
  if (const auto file = m_files.find(path); file != m_files.end())
    return page(sum_of(file->second, suffix), "text/plain; charset=utf-8");
  const auto made = find(path);
  if (!made) return std::nullopt;
  Checksum sum(suffix);
  sum.update(as_bytes(std::get<std::string>(made->body)));
  return page(sum.hex(), "text/plain; charset=utf-8");
}

std::string MavenRoute::sum_of(const ArtifactFile& file, std::string_view suffix) const {
  if (suffix == "sha256") return file.digest.hex();
  const auto key = std::pair(file.digest, std::string(suffix));
  {
    const std::lock_guard lock(m_mutex);
    if (const auto known = m_sums.find(key); known != m_sums.end()) return known->second;
  }
  auto sum = checksum_of_blob(m_blobs, file, suffix);
  const std::lock_guard lock(m_mutex);
  return m_sums.emplace(key, std::move(sum)).first->second;
}

HttpResponse MavenRoute::handle(const HttpRequest& request) const {
  auto path = request.path;
  if (!path.starts_with(k_prefix)) fail(ErrorCode::not_found, "{} is not part of the repository", printable(path));
  path.remove_prefix(k_prefix.size());
  if (auto answer = find(path)) return std::move(*answer);
  if (auto answer = checksum(path)) return std::move(*answer);
  throw Error(ErrorCode::not_found, fmt::format("the mirror has no '{}'", printable(path)),
              "build once more with an empty local repository on the low side, and bring a new bundle across");
}

}  // namespace

std::unique_ptr<const Route> make_maven_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment) {
  return std::make_unique<MavenRoute>(*view, environment);
}

}  // namespace liftlock::maven
