#include "ecosystem/cargo/route.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/local_registry.hpp"
#include "ecosystem/cargo/lock_file.hpp"
#include "ecosystem/cargo/manifest.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::string_view k_prefix = "/cargo/";
constexpr std::string_view k_downloads = "crates/";

struct MirroredCrate {
  ArtifactFile file;
  std::string name;
  std::string version;
  std::string registry;                      ///< as Cargo.lock wrote it; empty where the artifact does not say
  std::shared_ptr<const std::string> line;   ///< of the index; null: its inspection has to be asked for
  std::shared_ptr<const Artifact> artifact;  ///< only then
};

HttpResponse page(std::string body, std::string_view type) {
  HttpResponse response;
  response.set("Content-Type", std::string(type)).set("Cache-Control", "no-cache");
  response.set("ETag", "\"" + sha256(body).hex() + "\"");
  response.body = std::move(body);
  return response;
}

class CargoRoute : public Route {
 public:
  CargoRoute(const MirrorView& view, const RouteEnvironment& environment)
      : m_blobs(environment.blobs), m_scheme(environment.scheme), m_inspect(environment.inspect) {
    for (const auto& mirrored : view.artifacts) {
      const auto& artifact = mirrored.artifact;
      if (artifact.kind != "crate" || artifact.files.size() != 1) continue;
      // Newest last: of two contents under one name and version the newer publication's is served.
      const auto registry = text_in(artifact.facts, "registry");
      m_crates[index_path(artifact.name)].insert_or_assign(std::pair(artifact.name, artifact.version),
                                                           MirroredCrate{artifact.files[0],
                                                                         artifact.name,
                                                                         artifact.version,
                                                                         registry,
                                                                         {},
                                                                         std::make_shared<const Artifact>(artifact)});
      if (is_default_registry(registry)) {
        m_default_registry = registry;
      } else if (!registry.empty()) {
        m_other_registries.insert(registry);
      }
    }
    for (auto& [path, versions] : m_crates) {
      for (auto& [key, crate] : versions) {
        const auto facts = environment.inspection ? environment.inspection(*crate.artifact) : Json::object();
        crate.line = line_of(crate, facts);
        if (crate.line) crate.artifact.reset();
      }
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Rust crates (cargo): a sparse registry"; }
  std::vector<std::string> clients() const override { return {"cargo"}; }
  std::string client_configuration(std::string_view base_url) const override;
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  using Versions = std::map<std::pair<std::string, std::string>, MirroredCrate>;  ///< by name and version

  HttpResponse config(const HttpRequest& request) const;
  HttpResponse index(std::string_view path) const;
  HttpResponse download(std::string_view path) const;
  std::shared_ptr<const std::string> line_of(const MirroredCrate& crate, const Json& facts) const;
  std::shared_ptr<const std::string> line_of(const MirroredCrate& crate) const;

  const BlobStore& m_blobs;
  std::string m_scheme;
  std::function<Json(const Artifact&)> m_inspect;
  std::map<std::string, Versions, std::less<>> m_crates;  ///< by index path
  std::string m_default_registry;
  std::set<std::string> m_other_registries;
  mutable std::mutex m_mutex;
  mutable std::map<Digest, std::shared_ptr<const std::string>> m_lines;  ///< by the crate's digest
};

std::string CargoRoute::client_configuration(std::string_view base_url) const {
  auto out = "# cargo 1.68 or later: ~/.cargo/config.toml, or .cargo/config.toml of the project\n" +
             source_replacement(fmt::format("registry = \"sparse+{}{}\"", base_url, k_prefix), m_other_registries);
  if (base_url.starts_with("https://")) {
    out += "\n# [http]\n# cainfo = \"/etc/ssl/certs/ca-certificates.crt\"   # with the mirror's CA in it\n";
  }
  return out;
}

std::shared_ptr<const std::string> CargoRoute::line_of(const MirroredCrate& crate, const Json& facts) const {
  const auto index = facts.find(k_fact_index);
  if (index == facts.end()) return nullptr;
  try {
    const auto manifest = manifest_from_facts(*index, crate.name, crate.version);
    return std::make_shared<const std::string>(
        index_line(manifest, crate.file.digest, {crate.registry, m_default_registry}));
  } catch (const Error&) {
    return nullptr;
  }
}

std::shared_ptr<const std::string> CargoRoute::line_of(const MirroredCrate& crate) const {
  if (crate.line || !m_inspect) return crate.line;
  {
    const std::lock_guard lock(m_mutex);
    if (const auto found = m_lines.find(crate.file.digest); found != m_lines.end()) return found->second;
  }
  std::shared_ptr<const std::string> out;
  try {
    out = line_of(crate, m_inspect(*crate.artifact));
  } catch (const Error&) {
    return nullptr;  // the other versions are served, and this one is asked for again
  }
  if (!out) return nullptr;
  const std::lock_guard lock(m_mutex);
  return m_lines.emplace(crate.file.digest, out).first->second;
}

/// cargo wants absolute addresses: as the client reached us.
HttpResponse CargoRoute::config(const HttpRequest& request) const {
  const auto header = [&](std::string_view name) { return request.header ? request.header(name) : std::string_view{}; };
  const auto scheme = header("x-forwarded-proto") == "https" ? std::string_view("https") : std::string_view(m_scheme);
  Json config = {{"dl", fmt::format("{}://{}{}{}", scheme, header("host"), k_prefix,
                                    k_downloads.substr(0, k_downloads.size() - 1))}};
  if (!request.user.empty()) config["auth-required"] = true;
  auto response = page(dump_json_line(config) + "\n", "application/json");
  response.set("Vary", "Host");
  return response;
}

HttpResponse CargoRoute::index(std::string_view path) const {
  const auto found = m_crates.find(path);
  std::string body;
  if (found != m_crates.end()) {
    for (const auto& [key, crate] : found->second) {
      if (const auto line = line_of(crate)) body += *line + "\n";
    }
  }
  if (body.empty()) {
    throw Error(ErrorCode::not_found,
                fmt::format("the mirror has no crate '{}'", printable(path.substr(path.rfind('/') + 1))),
                "add what needs it to the stack on the low side and bring a new bundle across");
  }
  return page(std::move(body), "text/plain; charset=utf-8");
}

HttpResponse CargoRoute::download(std::string_view path) const {
  const auto parts = split(path, '/');
  if (parts.size() == 3 && parts[2] == "download" && is_crate_name(parts[0])) {
    if (const auto found = m_crates.find(index_path(parts[0])); found != m_crates.end()) {
      const auto crate = found->second.find(std::pair(std::string(parts[0]), std::string(parts[1])));
      if (crate != found->second.end()) return blob_response(m_blobs, crate->second.file, "application/gzip");
    }
  }
  fail(ErrorCode::not_found, "the mirror has no crate '{}'", printable(path));
}

HttpResponse CargoRoute::handle(const HttpRequest& request) const {
  auto path = request.path;
  if (!path.starts_with(k_prefix)) fail(ErrorCode::not_found, "{} is not part of the registry", printable(path));
  path.remove_prefix(k_prefix.size());
  if (path == "config.json") return config(request);
  if (path.starts_with(k_downloads)) return download(path.substr(k_downloads.size()));
  return index(path);
}

}  // namespace

std::unique_ptr<const Route> make_cargo_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment) {
  return std::make_unique<CargoRoute>(*view, environment);
}

}  // namespace liftlock::cargo
