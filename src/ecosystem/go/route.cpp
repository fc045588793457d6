#include "ecosystem/go/route.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/go/module_path.hpp"
#include "ecosystem/go/module_proxy.hpp"

namespace liftlock::go {
namespace {

constexpr std::string_view k_prefix = "/go/";
constexpr std::string_view k_versions = "/@v/";
constexpr std::string_view k_latest = "/@latest";
constexpr std::string_view k_databases = "sumdb/";
constexpr std::string_view k_text = "text/plain; charset=utf-8";

HttpResponse page(std::string body) {
  HttpResponse response;
  response.set("Content-Type", std::string(k_text)).set("Cache-Control", "no-cache");
  response.set("ETag", "\"" + sha256(body).hex() + "\"");
  response.body = std::move(body);
  return response;
}

class GoRoute : public Route {
 public:
  GoRoute(const MirrorView& view, const RouteEnvironment& environment) : m_blobs(environment.blobs) {
    for (const auto& mirrored : view.artifacts) add_module(m_modules, mirrored.artifact);  // newest last
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Go modules (go): a module proxy"; }
  std::vector<std::string> clients() const override { return {"go"}; }
  std::string client_configuration(std::string_view base_url) const override {
    return fmt::format(
        "# go: ~/.config/go/env, or `go env -w` with each line\n"
        "GOPROXY={}/go\n"
        "GOSUMDB=off\n"
        "GOTOOLCHAIN=local\n"
        "# go.sum is checked all the same; nobody asks a checksum database, another toolchain or version control\n",
        base_url);
  }
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  const Versions& versions_of(std::string_view escaped) const;
  HttpResponse latest(const Versions& versions) const;
  HttpResponse file(const Versions& versions, std::string_view name) const;

  const BlobStore& m_blobs;
  Modules m_modules;
};

[[noreturn]] void absent(std::string_view what) {
  throw Error(ErrorCode::not_found, fmt::format("the mirror has no {}", printable(what.substr(0, 600))),
              "add what needs it to the stack on the low side and bring a new bundle across");
}

const Versions& GoRoute::versions_of(std::string_view escaped) const {
  const auto path = unescape_module(escaped);
  const auto found = path ? m_modules.find(*path) : m_modules.end();
  if (found == m_modules.end()) absent(fmt::format("module '{}'", path.value_or(std::string(escaped))));
  return found->second;
}

HttpResponse GoRoute::latest(const Versions& versions) const {
  const auto* chosen = latest_info(versions);
  if (chosen == nullptr) absent("version of it that is whole");
  return blob_response(m_blobs, *chosen, "application/json");
}

HttpResponse GoRoute::file(const Versions& versions, std::string_view name) const {
  const auto dot = name.rfind('.');
  const auto version = dot == std::string_view::npos ? std::nullopt : unescape_module(name.substr(0, dot));
  const auto found = version ? versions.find(*version) : versions.end();
  if (found == versions.end()) absent(fmt::format("version '{}' of it", name));
  const auto end = found->second.find(name.substr(dot + 1));
  if (end == found->second.end()) absent(fmt::format("'{}'", name));
  return blob_response(m_blobs, end->second,
                       end->first == "zip"    ? "application/zip"
                       : end->first == "info" ? "application/json"
                                              : std::string(k_text));
}

/// After 404 and 410 go would ask the database itself, outside; every other answer means that it cannot be had. Plain
/// text, for go shows nobody anything else.
HttpResponse no_database() {
  HttpResponse response;
  response.status = info(ErrorCode::offline).http_status;
  response.set("Content-Type", std::string(k_text)).set("Cache-Control", "no-cache");
  response.body =
      "No checksum database is in reach of this mirror: go.sum proves what it holds.\n"
      "For modules that are not in a go.sum yet: go env -w GOSUMDB=off\n";
  return response;
}

HttpResponse GoRoute::handle(const HttpRequest& request) const {
  auto path = request.path;
  if (!path.starts_with(k_prefix)) fail(ErrorCode::not_found, "{} is not part of the module proxy", printable(path));
  path.remove_prefix(k_prefix.size());
  if (path.starts_with(k_databases)) return no_database();
  if (path.ends_with(k_latest)) return latest(versions_of(path.substr(0, path.size() - k_latest.size())));
  const auto at = path.find(k_versions);
  if (at == std::string_view::npos) absent(fmt::format("'{}'", path));
  const auto& versions = versions_of(path.substr(0, at));
  const auto name = path.substr(at + k_versions.size());
  return name == "list" ? page(version_list(versions)) : file(versions, name);
}

}  // namespace

std::unique_ptr<const Route> make_go_route(std::shared_ptr<const MirrorView> view,
                                           const RouteEnvironment& environment) {
  return std::make_unique<GoRoute>(*view, environment);
}

}  // namespace liftlock::go
