#include "ecosystem/apt/apt_route.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/repository_index.hpp"

namespace liftlock::apt {
namespace {

constexpr std::string_view k_key = "mirror-key.asc";

std::string by_hash_path(std::string_view path, std::string_view bytes) {
  return fmt::format("{}by-hash/SHA256/{}", path.substr(0, path.rfind('/') + 1), sha256(bytes).hex());
}

}  // namespace

AptRoute::AptRoute(std::shared_ptr<const MirrorView> view, const RouteEnvironment& environment)
    : m_view(std::move(view)), m_blobs(environment.blobs) {
  std::map<std::string, std::vector<const MirroredArtifact*>> channels;
  for (const auto& mirrored : m_view->artifacts) {
    if (mirrored.artifact.kind == "deb" && mirrored.artifact.files.size() == 1)
      channels[mirrored.channel].push_back(&mirrored);
  }
  for (auto& [channel, debs] : channels) {
    std::stable_sort(debs.begin(), debs.end(), [](const auto* a, const auto* b) { return a->sequence < b->sequence; });
    add_channel(channel, debs, environment);
    m_channels.push_back(channel);
  }
  add_page(std::string(k_key), environment.public_key_armored, "application/pgp-keys");
  add_page("", dump_json({{"suites", m_channels}}), "application/json");
}

void AptRoute::add_page(const std::string& path, std::string body, std::string type) {
  auto etag = "\"" + sha256(body).hex() + "\"";
  m_pages[path] = {std::make_shared<const std::string>(std::move(body)), std::move(type), std::move(etag)};
}

void AptRoute::add_channel(const std::string& channel, const std::vector<const MirroredArtifact*>& debs,
                           const RouteEnvironment& environment) {
  const auto newest = debs.back()->sequence;
  std::vector<const MirroredArtifact*> before;
  Timestamp date{};
  for (const auto* deb : debs) {
    if (deb->sequence != newest) before.push_back(deb);
    date = std::max(date, deb->published_at);
    m_pool[pool_path(channel, deb->artifact.files[0])] = &deb->artifact.files[0];
  }
  const auto root = fmt::format("dists/{}/", channel);
  const auto add_by_hash = [&](const SuiteIndex& index) {
    for (const auto& [path, bytes] : index.files) {
      add_page(root + by_hash_path(path, bytes), bytes, "application/octet-stream");
    }
  };
  if (!before.empty()) add_by_hash(make_suite_index(before, channel));
  const auto index = make_suite_index(debs, channel);
  add_by_hash(index);
  for (const auto& [path, bytes] : index.files) {
    add_page(root + path, bytes, path.ends_with(".gz") ? "application/gzip" : "text/plain; charset=utf-8");
  }
  const auto release = make_release(index, channel, date);
  add_page(root + "InRelease", environment.clearsign(release), "text/plain; charset=utf-8");
  add_page(root + "Release", release, "text/plain; charset=utf-8");
}

std::string AptRoute::client_configuration(std::string_view base_url) const {
  std::string out = fmt::format(
      "# once, as root:\n"
      "#   curl -fsS {0}/debian/{1} -o /etc/apt/keyrings/liftlock-mirror.asc\n"
      "# and this as /etc/apt/sources.list.d/liftlock.sources\n",
      base_url, k_key);
  if (m_channels.empty()) return out + "# nothing is published yet\n";
  return out + fmt::format(
                   "Types: deb\nURIs: {}/debian\nSuites: {}\nComponents: main\n"
                   "Signed-By: /etc/apt/keyrings/liftlock-mirror.asc\n",
                   base_url, fmt::join(m_channels, " "));
}

HttpResponse AptRoute::handle(const HttpRequest& request) const {
  const auto below = request.path.substr(std::min(prefix().size(), request.path.size()));
  if (const auto page = m_pages.find(below); page != m_pages.end()) {
    HttpResponse response;
    response.body = page->second.body;
    response.set("Content-Type", page->second.type).set("ETag", page->second.etag);
    const bool fixed = below.find("/by-hash/") != std::string_view::npos;
    response.set("Cache-Control", fixed ? "public, max-age=31536000, immutable" : "no-cache");
    return response;
  }
  if (const auto file = m_pool.find(below); file != m_pool.end()) {
    return blob_response(m_blobs, *file->second, "application/vnd.debian.binary-package");
  }
  fail(ErrorCode::not_found, "the apt repository has no '{}'", printable(below));
}

std::unique_ptr<const Route> make_apt_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment) {
  return std::make_unique<AptRoute>(std::move(view), environment);
}

}  // namespace liftlock::apt
