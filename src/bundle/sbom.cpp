#include "bundle/sbom.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"

namespace liftlock {
namespace {

std::string component_type(std::string_view kind) {
  if (kind == "model") return "machine-learning-model";
  if (kind == "image") return "container";
  if (kind == "engine") return "application";
  if (kind == "file") return "file";
  if (kind == "apt-index" || kind == "advisories") return "data";
  return "library";
}

std::string fact(const Artifact& artifact, const char* key) {
  const auto found = artifact.facts.find(key);
  return found != artifact.facts.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json component(const Artifact& artifact) {
  Json out = {{"type", component_type(artifact.kind)},
              {"bom-ref", artifact.id()},
              {"name", artifact.name},
              {"version", artifact.version}};
  if (const auto url = package_url(artifact); !url.empty()) out["purl"] = url;
  if (!artifact.license.empty()) out["licenses"] = {{{"license", {{"name", artifact.license}}}}};
  if (artifact.files.size() == 1) {
    out["hashes"] = {{{"alg", "SHA-256"}, {"content", artifact.files[0].digest.hex()}}};
    return out;
  }
  auto files = Json::array();
  for (const auto& file : artifact.files) {
    files.push_back({{"type", "file"},
                     {"name", file.path.text()},
                     {"hashes", {{{"alg", "SHA-256"}, {"content", file.digest.hex()}}}}});
  }
  out["components"] = std::move(files);
  return out;
}

}  // namespace

std::string package_url(const Artifact& artifact) {
  const auto name = encode_percent_path(artifact.name);
  const auto version = encode_percent_path(artifact.version);
  if (artifact.kind == "wheel" || artifact.kind == "sdist") return fmt::format("pkg:pypi/{}@{}", name, version);
  // encode_percent_path leaves '/', which ends the namespace, and escapes the '@' of a scope, as the purl type asks.
  if (artifact.kind == "npm") return fmt::format("pkg:npm/{}@{}", name, version);
  if (artifact.kind == "deb") {
    const auto architecture = fact(artifact, "architecture");
    return fmt::format("pkg:deb/debian/{}@{}{}", name, version, architecture.empty() ? "" : "?arch=" + architecture);
  }
  if (artifact.kind == "crate") return fmt::format("pkg:cargo/{}@{}", name, version);
  if (artifact.kind == "go-module") return fmt::format("pkg:golang/{}@{}", name, version);
  if (artifact.kind == "maven") {
    const auto colon = artifact.name.find(':');
    return fmt::format("pkg:maven/{}/{}@{}", artifact.name.substr(0, colon),
                       colon == std::string::npos ? "" : artifact.name.substr(colon + 1), version);
  }
  if (artifact.kind == "image") {
    const auto slash = name.rfind('/');
    return fmt::format("pkg:oci/{}@{}", slash == std::string::npos ? name : name.substr(slash + 1), version);
  }
  return {};
}

std::string write_sbom(std::string_view stack, const std::vector<Artifact>& artifacts) {
  auto components = Json::array();
  auto dependencies = Json::array();
  for (const auto& artifact : artifacts) {
    components.push_back(component(artifact));
    if (!artifact.needs.empty()) dependencies.push_back({{"ref", artifact.id()}, {"dependsOn", artifact.needs}});
  }
  return dump_json(
      {{"bomFormat", "CycloneDX"},
       {"specVersion", "1.6"},
       {"version", 1},
       {"metadata",
        {{"component", {{"type", "application"}, {"name", stack}, {"bom-ref", fmt::format("stack:{}", stack)}}}}},
       {"components", std::move(components)},
       {"dependencies", std::move(dependencies)}});
}

}  // namespace liftlock
