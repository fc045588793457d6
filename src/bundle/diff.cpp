#include "bundle/diff.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace liftlock {
namespace {

using Versions = std::map<std::string, const Artifact*>;
using ByName = std::map<std::pair<std::string, std::string>, Versions>;

ByName by_name(const std::vector<Artifact>& artifacts) {
  ByName out;
  for (const auto& artifact : artifacts) out[{artifact.kind, artifact.name}][artifact.version] = &artifact;
  return out;
}

/// Paths that only one of them has, or that hold different bytes.
std::vector<std::string> differing_paths(const Artifact& before, const Artifact& after) {
  std::map<std::string, std::vector<Digest>> seen;
  for (const auto* artifact : {&before, &after}) {
    for (const auto& file : artifact->files) seen[file.path.text()].push_back(file.digest);
  }
  std::vector<std::string> out;
  for (const auto& [path, digests] : seen) {
    if (digests.size() != 2 || digests[0] != digests[1]) out.push_back(path);
  }
  return out;
}

Difference difference(Difference::Change change, const Artifact* before, const Artifact* after) {
  const auto& any = before != nullptr ? *before : *after;
  Difference out{
      .change = change, .kind = any.kind, .name = any.name, .old_version = {}, .new_version = {}, .paths = {}};
  if (before != nullptr) {
    out.old_version = before->version;
    out.old_size = before->total_size();
  }
  if (after != nullptr) {
    out.new_version = after->version;
    out.new_size = after->total_size();
  }
  return out;
}

void compare(Versions before, Versions after, std::vector<Difference>& out) {
  for (auto at = before.begin(); at != before.end();) {
    const auto same = after.find(at->first);
    if (same == after.end()) {
      ++at;
      continue;
    }
    if (auto paths = differing_paths(*at->second, *same->second); !paths.empty()) {
      out.push_back(difference(Difference::Change::content, at->second, same->second));
      out.back().paths = std::move(paths);
    }
    after.erase(same);
    at = before.erase(at);
  }
  if (before.size() == 1 && after.size() == 1) {
    out.push_back(difference(Difference::Change::version, before.begin()->second, after.begin()->second));
    return;
  }
  for (const auto& [version, artifact] : before) {
    out.push_back(difference(Difference::Change::removed, artifact, nullptr));
  }
  for (const auto& [version, artifact] : after) {
    out.push_back(difference(Difference::Change::added, nullptr, artifact));
  }
}

}  // namespace

std::string_view name(Difference::Change change) {
  switch (change) {
    case Difference::Change::added:
      return "added";
    case Difference::Change::removed:
      return "removed";
    case Difference::Change::version:
      return "changed version";
    case Difference::Change::content:
      return "changed digest";
  }
  return "";
}

std::vector<Difference> diff_artifacts(const std::vector<Artifact>& before, const std::vector<Artifact>& after) {
  const auto old_names = by_name(before);
  const auto new_names = by_name(after);
  std::set<std::pair<std::string, std::string>> names;
  for (const auto& [key, versions] : old_names) names.insert(key);
  for (const auto& [key, versions] : new_names) names.insert(key);
  std::vector<Difference> out;
  for (const auto& key : names) {
    const auto old_at = old_names.find(key);
    const auto new_at = new_names.find(key);
    compare(old_at != old_names.end() ? old_at->second : Versions(),
            new_at != new_names.end() ? new_at->second : Versions(), out);
  }
  return out;
}

Json to_json(const Difference& difference) {
  Json out = {{"change", name(difference.change)}, {"kind", difference.kind}, {"name", difference.name}};
  if (!difference.old_version.empty())
    out["old"] = {{"version", difference.old_version}, {"size", difference.old_size}};
  if (!difference.new_version.empty())
    out["new"] = {{"version", difference.new_version}, {"size", difference.new_size}};
  if (!difference.paths.empty()) out["paths"] = difference.paths;
  return out;
}

}  // namespace liftlock
