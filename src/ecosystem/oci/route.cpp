#include "ecosystem/oci/route.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/oci/answers.hpp"
#include "ecosystem/oci/client_text.hpp"
#include "ecosystem/oci/mirror_index.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_page = 1000;

/// One page of sorted names after `last`, and the Link to the next.
template <typename Map>
HttpResponse page(const HttpRequest& request, const Map& names, Json body, std::string_view key) {
  const auto last = request.query_value("last").value_or("");
  const auto limit =
      std::min<std::uint64_t>(parse_uint(request.query_value("n").value_or("")).value_or(k_max_page), k_max_page);
  auto list = Json::array();
  auto at = last.empty() ? names.begin() : names.upper_bound(last);
  std::string final_name;
  for (; at != names.end() && list.size() < limit; ++at) list.push_back(final_name = at->first);
  const bool more = at != names.end() && !list.empty();
  body[std::string(key)] = std::move(list);
  auto out = document(200, k_json, body);
  if (more) {
    out.set("Link", fmt::format("<{}?n={}&last={}>; rel=\"next\"", encode_percent_path(request.path), limit,
                                encode_percent_path(final_name)));
  }
  return out;
}

class ImageRoute : public Route {
 public:
  ImageRoute(std::shared_ptr<const MirrorView> view, const RouteEnvironment& environment)
      : m_view(std::move(view)), m_blobs(environment.blobs), m_index(*m_view, environment.blobs) {}

  std::string_view prefix() const override { return "/v2/"; }
  std::string_view title() const override {
    return "Container images: docker, podman, containerd and skopeo pull from here";
  }

  std::vector<std::string> clients() const override { return {"containerd", "cri-o", "docker", "podman", "skopeo"}; }
  std::string client_configuration(std::string_view base_url) const override {
    std::string example = "NAME:TAG";
    for (const auto& [name, repository] : m_index.repositories()) {
      if (repository.tags.empty()) continue;
      example = name + ":" + repository.tags.begin()->first;
      if (name.find('.') == std::string::npos) break;
    }
    return client_text(base_url, m_index.hosts(), example);
  }

  HttpResponse handle(const HttpRequest& request) const override {
    if (request.method != "GET" && request.method != "HEAD") {
      return refusal(405, "UNSUPPORTED", "the mirror is read-only").set("Allow", "GET, HEAD");
    }
    auto path = request.path;
    if (path == "/v2" || path == "/v2/") return document(200, k_json, Json::object());
    if (!path.starts_with("/v2/")) return refusal(404, "NAME_UNKNOWN", "there is nothing here");
    path.remove_prefix(4);
    if (path == "_catalog") return page(request, m_index.repositories(), Json::object(), "repositories");
    if (path.ends_with("/tags/list")) return tags(request, path.substr(0, path.size() - 10));
    const auto asked = split_registry_path(path);
    if (!asked) return refusal(404, "NAME_UNKNOWN", "this is no path of the registry protocol");
    const auto& [name, what, which] = *asked;
    if (what == "manifests") return manifest(request, name, which);
    if (what == "blobs") return blob(request, name, which);
    if (what == "referrers") return referrers(request, name, which);
    return refusal(404, "UNSUPPORTED", "the mirror answers manifests, blobs, tags and referrers");
  }

 private:
  const Repository* repository(const HttpRequest& request, std::string_view name) const {
    return m_index.find(name, request.query_value("ns").value_or(""));
  }

  static HttpResponse unknown_name(std::string_view name) {
    if (!is_repository(name))
      return refusal(400, "NAME_INVALID", "'" + printable(name.substr(0, 255)) + "' is no repository name");
    return refusal(404, "NAME_UNKNOWN", "no image called " + std::string(name) + " came across");
  }

  HttpResponse tags(const HttpRequest& request, std::string_view name) const {
    const auto* found = repository(request, name);
    if (found == nullptr) return unknown_name(name);
    return page(request, found->tags, {{"name", name}}, "tags");
  }

  HttpResponse manifest(const HttpRequest& request, std::string_view name, std::string_view reference) const {
    const auto* found = repository(request, name);
    if (found == nullptr) return unknown_name(name);
    auto digest = Digest::try_parse(reference);
    if (!digest && reference.find(':') != std::string_view::npos) {
      return refusal(400, "DIGEST_INVALID", "only sha256: digests are known here");
    }
    if (!digest) {
      const auto tag = found->tags.find(std::string(reference));
      if (tag != found->tags.end()) digest = tag->second;
    }
    const auto served = digest ? found->manifests.find(*digest) : found->manifests.end();
    if (served == found->manifests.end()) {
      return refusal(404, "MANIFEST_UNKNOWN",
                     fmt::format("{} of {} did not come across", printable(reference.substr(0, 200)), name));
    }
    return content(*served->second.file, served->second.media_type, "MANIFEST_UNKNOWN");
  }

  HttpResponse blob(const HttpRequest& request, std::string_view name, std::string_view reference) const {
    const auto* found = repository(request, name);
    if (found == nullptr) return unknown_name(name);
    const auto digest = Digest::try_parse(reference);
    if (!digest) return refusal(400, "DIGEST_INVALID", "only sha256: digests are known here");
    const auto file = found->blobs.find(*digest);
    if (file == found->blobs.end())
      return refusal(404, "BLOB_UNKNOWN", fmt::format("{} does not belong to {}", digest->text(), name));
    return content(*file->second, "application/octet-stream", "BLOB_UNKNOWN");
  }

  HttpResponse referrers(const HttpRequest& request, std::string_view name, std::string_view reference) const {
    const auto* found = repository(request, name);
    if (found == nullptr) return unknown_name(name);
    const auto digest = Digest::try_parse(reference);
    if (!digest) return refusal(400, "DIGEST_INVALID", "only sha256: digests are known here");
    const auto wanted = request.query_value("artifactType").value_or("");
    auto list = Json::array();
    if (const auto attached = found->referrers.find(*digest); attached != found->referrers.end()) {
      for (const auto& [of, descriptor] : attached->second) {
        if (wanted.empty() || descriptor.artifact_type == wanted) list.push_back(descriptor_json(descriptor));
      }
    }
    auto out = document(200, media::oci_index,
                        {{"schemaVersion", 2}, {"mediaType", media::oci_index}, {"manifests", std::move(list)}});
    if (!wanted.empty()) out.set("OCI-Filters-Applied", "artifactType");
    return out;
  }

  HttpResponse content(const ArtifactFile& file, std::string media_type, std::string_view unknown) const {
    try {
      auto out = blob_response(m_blobs, file, std::move(media_type));
      out.set("Docker-Content-Digest", file.digest.text());
      out.set("Docker-Distribution-Api-Version", "registry/2.0");
      return out;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      return refusal(404, unknown, file.digest.text() + " is not in the store");
    }
  }

  std::shared_ptr<const MirrorView> m_view;
  const BlobStore& m_blobs;
  MirrorIndex m_index;
};

}  // namespace

std::unique_ptr<const Route> make_image_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment) {
  return std::make_unique<ImageRoute>(std::move(view), environment);
}

}  // namespace liftlock::oci
