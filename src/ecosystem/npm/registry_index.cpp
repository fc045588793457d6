#include "ecosystem/npm/registry_index.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/loose_json.hpp"
#include "ecosystem/npm/inspector.hpp"

namespace liftlock::npm {
namespace {

/// Only these are told to who asks for the abbreviated form.
constexpr std::array<std::string_view, 16> k_abbreviated = {"name",
                                                            "version",
                                                            "dependencies",
                                                            "optionalDependencies",
                                                            "peerDependencies",
                                                            "peerDependenciesMeta",
                                                            "bundleDependencies",
                                                            "bin",
                                                            "directories",
                                                            "engines",
                                                            "os",
                                                            "cpu",
                                                            "libc",
                                                            "hasInstallScript",
                                                            "_hasShrinkwrap",
                                                            "deprecated"};

std::uint64_t number_of(const Json& facts, const char* key) {
  const auto found = facts.find(key);
  return found != facts.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

void MirroredPackage::add(const Version& version, MirroredVersion content) {
  m_versions.insert_or_assign(version, std::move(content));
}

std::string MirroredPackage::version_of_tag(std::string_view tag) const {
  if (tag != "latest" || m_versions.empty()) return {};
  const auto stable =
      std::find_if(m_versions.rbegin(), m_versions.rend(), [](const auto& one) { return !one.first.is_prerelease(); });
  return (stable != m_versions.rend() ? stable : m_versions.rbegin())->first.text();
}

Json MirroredPackage::dist_tags() const {
  return {{"latest", version_of_tag("latest")}};
}

const MirroredVersion* MirroredPackage::find(std::string_view version) const {
  const auto parsed = Version::parse(version);
  const auto found = parsed ? m_versions.find(*parsed) : m_versions.end();
  return found == m_versions.end() ? nullptr : &found->second;
}

const MirroredVersion* MirroredPackage::find_tarball(std::string_view filename) const {
  for (const auto& [version, content] : m_versions) {
    if (content.file.path.filename() == filename) return &content;
  }
  return nullptr;
}

Json MirroredPackage::manifest(const MirroredVersion& version, Form form, std::string_view registry) const {
  auto out = Json::object();
  for (const auto& [key, value] : version.manifest.items()) {
    if (form == Form::full || std::find(k_abbreviated.begin(), k_abbreviated.end(), key) != k_abbreviated.end()) {
      out[key] = value;
    }
  }
  const auto name = text_in(version.manifest, "name");
  if (!version.deprecated.empty()) out["deprecated"] = version.deprecated;
  if (form == Form::full) out["_id"] = fmt::format("{}@{}", name, text_in(version.manifest, "version"));
  out["dist"] = {{"tarball", fmt::format("{}{}/-/{}", registry, name, version.file.path.filename())},
                 {"integrity", version.integrity},
                 {"shasum", version.shasum},
                 {"fileCount", version.files},
                 {"unpackedSize", version.unpacked_size}};
  return out;
}

Timestamp MirroredPackage::modified() const {
  Timestamp out{};
  for (const auto& [version, content] : m_versions) out = std::max(out, content.published);
  return out;
}

Json MirroredPackage::packument(std::string_view name, Form form, std::string_view registry) const {
  auto versions = Json::object();
  for (const auto& [version, content] : m_versions) versions[version.text()] = manifest(content, form, registry);
  Json out = {{"name", name}, {"dist-tags", dist_tags()}, {"versions", std::move(versions)}};
  if (form == Form::abbreviated) {
    out["modified"] = format_time(modified());
    return out;
  }
  auto created = modified();
  auto time = Json::object();
  for (const auto& [version, content] : m_versions) {
    time[version.text()] = format_time(content.published);
    created = std::min(created, content.published);
  }
  time["created"] = format_time(created);
  time["modified"] = format_time(modified());
  out["_id"] = name;
  out["time"] = std::move(time);
  const auto& latest = m_versions.at(*Version::parse(version_of_tag("latest"))).manifest;
  for (const auto* key : {"description", "license"}) {
    if (latest.contains(key)) out[key] = latest[key];
  }
  return out;
}

Packages packages_of(const MirrorView& view) {
  Packages out;
  for (const auto& mirrored : view.artifacts) {
    const auto& artifact = mirrored.artifact;
    if (artifact.kind != k_kind || artifact.files.size() != 1 || !is_package_name(artifact.name)) continue;
    const auto version = Version::parse(artifact.version);
    const auto manifest = artifact.facts.find("manifest");
    // Inspection saw to it that they are those of the tarball; without them nothing can be installed.
    if (!version || manifest == artifact.facts.end() || !manifest->is_object()) continue;
    out[artifact.name].add(*version, {.file = artifact.files[0],
                                      .manifest = *manifest,
                                      .integrity = text_in(artifact.facts, "integrity"),
                                      .shasum = text_in(artifact.facts, "shasum"),
                                      .deprecated = text_in(artifact.facts, "deprecated"),
                                      .files = number_of(artifact.facts, "files"),
                                      .unpacked_size = number_of(artifact.facts, "unpacked_size"),
                                      .published = mirrored.published_at});
  }
  return out;
}

}  // namespace liftlock::npm
