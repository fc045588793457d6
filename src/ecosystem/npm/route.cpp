#include "ecosystem/npm/route.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/npm/registry_index.hpp"

namespace liftlock::npm {
namespace {

constexpr std::string_view k_prefix = "/npm/";
constexpr std::string_view k_abbreviated_type = "application/vnd.npm.install-v1+json";
constexpr std::uint64_t k_max_found = 250;

using Form = MirroredPackage::Form;

std::string_view header_of(const HttpRequest& request, std::string_view name) {
  return request.header ? request.header(name) : std::string_view{};
}

class NpmRoute : public Route {
 public:
  NpmRoute(const MirrorView& view, const RouteEnvironment& environment)
      : m_blobs(environment.blobs), m_scheme(environment.scheme), m_packages(packages_of(view)) {}

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "JavaScript packages (npm, pnpm, Yarn): the npm registry protocol"; }
  std::vector<std::string> clients() const override { return {"npm", "pnpm", "yarn"}; }
  std::string client_configuration(std::string_view base_url) const override;
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  HttpResponse service(const HttpRequest& request, std::string_view path) const;
  HttpResponse search(const HttpRequest& request) const;
  HttpResponse tarball(std::string_view before, std::string_view filename) const;
  HttpResponse document(const HttpRequest& request, std::string_view path) const;
  const MirroredPackage& package(std::string_view name) const;
  std::string registry(const HttpRequest& request) const;

  const BlobStore& m_blobs;
  std::string_view m_scheme;
  Packages m_packages;
};

HttpResponse json_response(const Json& json, std::string_view type = "application/json") {
  auto body = dump_json_line(json);
  HttpResponse response;
  response.set("Content-Type", std::string(type));
  response.set("Vary", "Accept, Host, X-Forwarded-Proto");
  response.set("Cache-Control", "no-cache");
  response.set("ETag", "\"" + sha256(body).hex() + "\"");
  response.body = std::move(body);
  return response;
}

std::string NpmRoute::client_configuration(std::string_view base_url) const {
  const auto slashes = base_url.find("//");
  const auto place = slashes == std::string_view::npos ? base_url : base_url.substr(slashes);
  return fmt::format(
      "# npm, pnpm, Yarn 1: ~/.npmrc, or .npmrc beside package.json\n"
      "registry={0}{1}\n"
      "# a lock names the registry that it was made with: take everything from here\n"
      "replace-registry-host=always\n"
      "audit=false\n"
      "fund=false\n"
      "update-notifier=false\n"
      "# {2}{1}:_authToken=${{NPM_TOKEN}}   # where the mirror asks for a token\n"
      "{3}"
      "# Yarn 2 and later, .yarnrc.yml: npmRegistryServer: \"{0}/npm\"{4}\n",
      base_url, k_prefix, place,
      base_url.starts_with("https://") ? "# cafile=/etc/ssl/certs/ca-certificates.crt   # with the mirror's CA in it\n"
                                       : "",
      base_url.starts_with("http://") ? " and unsafeHttpWhitelist: [\"*\"]" : "");
}

std::string NpmRoute::registry(const HttpRequest& request) const {
  const auto host = header_of(request, "Host");
  const bool clean = !host.empty() && host.size() <= 300 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_:[]").find(c) != std::string_view::npos;
  });
  if (!clean) fail(ErrorCode::bad_request, "the request names no host");
  const auto forwarded = header_of(request, "X-Forwarded-Proto");
  const auto scheme = forwarded == "https" || forwarded == "http" ? forwarded : m_scheme;
  return fmt::format("{}://{}{}", scheme, host, k_prefix);
}

const MirroredPackage& NpmRoute::package(std::string_view name) const {
  const auto found = m_packages.find(name);
  if (found == m_packages.end()) {
    throw Error(ErrorCode::not_found, fmt::format("the mirror has no package '{}'", printable(name)),
                "add it to the project's package-lock.json on the low side and bring a new bundle across");
  }
  return found->second;
}

HttpResponse NpmRoute::search(const HttpRequest& request) const {
  const auto text = to_lower(request.query_value("text").value_or(""));
  const auto number = [&](std::string_view name, std::uint64_t fallback) {
    return parse_uint(request.query_value(name).value_or("")).value_or(fallback);
  };
  const auto from = number("from", 0);
  const auto size = std::min(number("size", 20), k_max_found);
  auto found = Json::array();
  std::uint64_t total = 0;
  for (const auto& [name, mirrored] : m_packages) {
    const auto latest = mirrored.version_of_tag("latest");
    const auto& manifest = mirrored.find(latest)->manifest;
    const auto description = manifest.value("description", "");
    if (to_lower(name).find(text) == std::string::npos && to_lower(description).find(text) == std::string::npos)
      continue;
    if (total++ < from || found.size() >= size) continue;
    const Json about = {{"name", name},
                        {"version", latest},
                        {"description", description},
                        {"keywords", Json::array()},
                        {"maintainers", Json::array()},
                        {"links", Json::object()},
                        {"date", format_time(mirrored.modified())}};
    const Json detail = {{"quality", 1}, {"popularity", 1}, {"maintenance", 1}};
    found.push_back({{"package", about}, {"score", {{"final", 1}, {"detail", detail}}}, {"searchScore", 1}});
  }
  return json_response({{"objects", std::move(found)}, {"total", total}});
}

/// What stands below "-/".
HttpResponse NpmRoute::service(const HttpRequest& request, std::string_view path) const {
  constexpr std::string_view k_package = "package/";
  constexpr std::string_view k_tags = "/dist-tags";
  if (path == "ping") return json_response(Json::object());
  if (path == "v1/search") return search(request);
  if (path.starts_with(k_package) && path.ends_with(k_tags) && path.size() > k_package.size() + k_tags.size()) {
    const auto name = path.substr(k_package.size(), path.size() - k_package.size() - k_tags.size());
    return json_response(package(name).dist_tags());
  }
  // Advisories (npm audit) are not here, and an empty answer would say that there are none.
  throw Error(ErrorCode::not_found, fmt::format("the mirror has no '-/{}'", printable(path)),
              "it has packages, ping, search and dist-tags; publishing, accounts and advisories are not served");
}

/// Whatever stands before the name is passed over: it is the path of the registry that a lock names, which some
/// versions of npm put behind that of this one.
HttpResponse NpmRoute::tarball(std::string_view before, std::string_view filename) const {
  const auto slash = before.rfind('/');
  const auto up = slash == std::string_view::npos || slash == 0 ? std::string_view::npos : before.rfind('/', slash - 1);
  const auto last = slash == std::string_view::npos ? before : before.substr(slash + 1);
  const auto last_two = up == std::string_view::npos ? before : before.substr(up + 1);
  const auto& mirrored = package(last_two.starts_with('@') ? last_two : last);
  if (const auto* version = mirrored.find_tarball(filename)) {
    // A later publication may bring other bytes by this name, or none: the digest (ETag) says whether they are the
    // same.
    return blob_response(m_blobs, version->file, "application/octet-stream").set("Cache-Control", "no-cache");
  }
  throw Error(ErrorCode::not_found, fmt::format("the mirror has no tarball '{}'", printable(filename)),
              "add its version to the project's package-lock.json on the low side and bring a new bundle across");
}

/// NAME, NAME/VERSION or NAME/TAG.
HttpResponse NpmRoute::document(const HttpRequest& request, std::string_view path) const {
  while (path.ends_with('/')) path.remove_suffix(1);
  const auto first = path.find('/');
  const auto end = path.starts_with('@') && first != std::string_view::npos ? path.find('/', first + 1) : first;
  const auto name = path.substr(0, end);
  const auto& mirrored = package(name);
  const bool abbreviated = header_of(request, "Accept").find(k_abbreviated_type) != std::string_view::npos;
  const auto form = abbreviated ? Form::abbreviated : Form::full;
  if (end == std::string_view::npos) {
    return json_response(mirrored.packument(name, form, registry(request)),
                         abbreviated ? k_abbreviated_type : "application/json");
  }
  const auto wanted = path.substr(end + 1);
  const auto tagged = mirrored.version_of_tag(wanted);
  if (const auto* version = mirrored.find(tagged.empty() ? wanted : std::string_view(tagged))) {
    return json_response(mirrored.manifest(*version, Form::full, registry(request)));
  }
  throw Error(ErrorCode::not_found, fmt::format("the mirror has no version '{}' of '{}'", printable(wanted), name),
              fmt::format("the highest that it has is {}", mirrored.version_of_tag("latest")));
}

HttpResponse NpmRoute::handle(const HttpRequest& request) const {
  auto path = request.path;
  if (!path.starts_with(k_prefix)) fail(ErrorCode::not_found, "{} is not part of the npm registry", printable(path));
  path.remove_prefix(k_prefix.size());
  if (path.empty()) return json_response({{"packages", m_packages.size()}});
  constexpr std::string_view k_service = "-/";
  if (path.starts_with(k_service)) return service(request, path.substr(k_service.size()));
  if (const auto at = path.rfind("/-/"); at != std::string_view::npos) {
    return tarball(path.substr(0, at), path.substr(at + 3));
  }
  return document(request, path);
}

}  // namespace

std::unique_ptr<const Route> make_npm_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment) {
  return std::make_unique<NpmRoute>(*view, environment);
}

}  // namespace liftlock::npm
