#include "ecosystem/go/module_proxy.hpp"

#include "ecosystem/go/module_path.hpp"

namespace liftlock::go {

bool OlderVersion::operator()(const std::string& a, const std::string& b) const {
  const auto order = compare_versions(a, b);
  return order != 0 ? order < 0 : a < b;
}

void add_module(Modules& modules, const Artifact& artifact) {
  if (artifact.kind != "go-module" || !is_module_version(artifact.version)) return;
  auto& ends = modules[artifact.name][artifact.version];
  for (const auto& file : artifact.files) {
    const auto name = file.path.filename();
    ends.insert_or_assign(std::string(name.substr(name.rfind('.') + 1)), file);
  }
}

std::string version_list(const Versions& versions) {
  std::string out;
  for (const auto& [version, ends] : versions) {
    if (ends.count("zip") != 0 && !pseudo_version_time(version)) out += version + "\n";
  }
  return out;
}

const ArtifactFile* latest_info(const Versions& versions) {
  const ArtifactFile* chosen = nullptr;
  int rank = -1;
  for (const auto& [version, ends] : versions) {
    const auto info = ends.find("info");
    if (ends.count("zip") == 0 || info == ends.end()) continue;
    const int own = pseudo_version_time(version) ? 0 : is_prerelease(version) ? 1 : 2;
    if (own < rank) continue;
    rank = own;
    chosen = &info->second;
  }
  return chosen;
}

PlainLayout module_proxy(std::span<const Artifact> artifacts) {
  Modules modules;
  for (const auto& artifact : artifacts) add_module(modules, artifact);
  PlainLayout out;
  for (const auto& [path, versions] : modules) {
    const auto base = escape_module(path);
    for (const auto& [version, ends] : versions) {
      for (const auto& [end, file] : ends)
        out.files.insert_or_assign(base + "/@v/" + escape_module(version) + "." + end, file);
    }
    out.documents[base + "/@v/list"] = version_list(versions);
    if (const auto* latest = latest_info(versions)) out.files.insert_or_assign(base + "/@latest", *latest);
  }
  return out;
}

}  // namespace liftlock::go
