#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "bundle/sbom.hpp"

namespace liftlock {
namespace {

/// "?a=b&c=d" of those that have a value, which are given in the order of their keys.
std::string qualifiers(std::initializer_list<std::pair<std::string_view, std::string>> all) {
  std::string out;
  for (const auto& [key, value] : all) {
    if (!value.empty()) out += fmt::format("{}{}={}", out.empty() ? '?' : '&', key, encode_percent_path(value));
  }
  return out;
}

/// A member of the evidence that the archive's signed release file gives.
std::string of_release(const Artifact& artifact, const char* key) {
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (evidence.type == "apt-release") return text_in(evidence.details, key);
    }
  }
  return {};
}

/// The vendor is the archive's own word for itself, "Debian", "Ubuntu"; without one, or with several, there is none: a
/// package that was imported may be anybody's.
std::string deb_url(const Artifact& artifact) {
  const auto vendor = to_lower(of_release(artifact, "origin"));
  const bool is_word = !vendor.empty() && std::all_of(vendor.begin(), vendor.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  // Of another architecture than the stack's: "libc6:i386".
  const auto name = artifact.name.substr(0, artifact.name.find(':'));
  return fmt::format("pkg:deb/{}{}@{}{}", is_word ? vendor + "/" : "", encode_percent_path(name),
                     encode_percent_path(artifact.version),
                     qualifiers({{"arch", text_in(artifact.facts, "architecture")},
                                 {"distro", is_word ? of_release(artifact, "codename") : ""}}));
}

std::string rpm_url(const Artifact& artifact) {
  // The type wants the epoch as a qualifier; artifacts write "EPOCH:VERSION-RELEASE".
  const auto architecture = text_in(artifact.facts, "architecture");
  const auto colon = artifact.version.find(':');
  const auto epoch = colon == std::string::npos ? std::string() : artifact.version.substr(0, colon);
  auto name = artifact.name;
  if (!architecture.empty() && name.ends_with("." + architecture)) name.resize(name.size() - architecture.size() - 1);
  return fmt::format("pkg:rpm/{}@{}{}", encode_percent_path(name),
                     encode_percent_path(artifact.version.substr(colon == std::string::npos ? 0 : colon + 1)),
                     qualifiers({{"arch", architecture}, {"epoch", epoch}}));
}

/// Where a repository's index named it, that is the repository.
std::string chart_url(const Artifact& artifact) {
  std::string repository;
  constexpr std::string_view k_index = "/index.yaml";
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (evidence.type == "index-hash") repository = text_in(evidence.details, "index");
    }
  }
  if (repository.ends_with(k_index)) repository.resize(repository.size() - k_index.size());
  return fmt::format("pkg:helm/{}@{}{}", encode_percent_path(artifact.name), encode_percent_path(artifact.version),
                     qualifiers({{"repository_url", repository}}));
}

/// The name is the last of the repository's parts, in lower case; the version is the digest, never the tag.
std::string image_url(const Artifact& artifact) {
  const bool by_digest = artifact.version.starts_with("sha256:");
  const auto manifest = artifact.facts.is_object() ? artifact.facts.find("manifest") : artifact.facts.end();
  const auto stated =
      artifact.facts.is_object() && manifest != artifact.facts.end() ? text_in(*manifest, "digest") : "";
  const auto digest = stated.empty() && by_digest ? artifact.version : stated;
  // "HOST/NAME:TAG"; else where an archive lies.
  std::string repository;
  const auto ref = text_in(artifact.facts, "ref");
  const auto ending = (by_digest ? "@" : ":") + artifact.version;
  const auto host = ref.substr(0, ref.find('/'));
  const bool has_host =
      host.size() < ref.size() && (host.find_first_of(".:") != std::string::npos || host == "localhost");
  if (has_host && !host.starts_with('.') && ref.ends_with(ending))
    repository = ref.substr(0, ref.size() - ending.size());
  const auto name = to_lower(artifact.name);
  return fmt::format("pkg:oci/{}{}{}", encode_percent_path(name.substr(name.rfind('/') + 1)),
                     digest.empty() ? "" : "@" + encode_percent_path(digest),
                     qualifiers({{"repository_url", repository}, {"tag", by_digest ? "" : artifact.version}}));
}

}  // namespace

std::string package_url(const Artifact& artifact) {
  const auto name = encode_percent_path(artifact.name);
  const auto version = encode_percent_path(artifact.version);
  if (artifact.kind == "wheel" || artifact.kind == "sdist") return fmt::format("pkg:pypi/{}@{}", name, version);
  // encode_percent_path leaves '/', which ends the namespace, and escapes the '@' of a scope, as the purl type asks.
  if (artifact.kind == "npm") return fmt::format("pkg:npm/{}@{}", name, version);
  if (artifact.kind == "deb") return deb_url(artifact);
  if (artifact.kind == "rpm") return rpm_url(artifact);
  if (artifact.kind == "crate") return fmt::format("pkg:cargo/{}@{}", name, version);
  if (artifact.kind == "go-module") return fmt::format("pkg:golang/{}@{}", name, version);
  if (artifact.kind == "maven") {
    const auto colon = artifact.name.find(':');
    return fmt::format("pkg:maven/{}/{}@{}", artifact.name.substr(0, colon),
                       colon == std::string::npos ? "" : artifact.name.substr(colon + 1), version);
  }
  if (artifact.kind == "model" && text_in(artifact.facts, "source") == "hf") {
    return fmt::format("pkg:huggingface/{}@{}", encode_percent_path(text_in(artifact.facts, "repository")),
                       text_in(artifact.facts, "commit"));
  }
  if (artifact.kind == "image") return image_url(artifact);
  if (artifact.kind == "chart") return chart_url(artifact);
  return {};
}

}  // namespace liftlock
