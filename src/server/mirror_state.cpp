#include "server/mirror_state.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

/// The folder that all files of the artifact share, with its '/'; for a single file its folder.
std::string_view common_folder(const Artifact& artifact) {
  auto common = artifact.files.front().path.parent();
  for (const auto& file : artifact.files) {
    while (!common.empty() && !file.path.is_under(common)) {
      const auto slash = common.rfind('/');
      common = slash == std::string_view::npos ? std::string_view() : common.substr(0, slash);
    }
  }
  return common;
}

void add_artifact(MirrorState& state, const Artifact& artifact, const std::string& bundle) {
  const auto common = common_folder(artifact);
  const auto skip = common.empty() ? 0 : common.size() + 1;
  for (const auto& file : artifact.files) {
    state.files.add(artifact.kind + "/" + artifact.name + "/" + artifact.version + "/" + file.path.text().substr(skip),
                    file);
    state.bundles.add(bundle + "/" + file.path.text(), file);
  }
}

void add_publication(MirrorState& state, MirrorView& view, const Publication& publication) {
  const auto bundle = publication.channel + "/" + std::to_string(publication.sequence);
  state.bundles.add(bundle + "/manifest/bundle.json", publication.bundle_digest, publication.bundle_json);
  for (const auto& file : publication.other_files) {
    if (file.path.text() != "manifest/bundle.json") state.bundles.add(bundle + "/" + file.path.text(), file);
  }
  for (const auto& artifact : publication.artifacts) {
    add_artifact(state, artifact, bundle);
    view.artifacts.push_back({artifact, publication.channel, publication.sequence, publication.published_at});
  }
}

void sort_view(MirrorView& view) {
  std::vector<std::pair<std::string, MirroredArtifact>> keyed;
  for (auto& artifact : view.artifacts) keyed.emplace_back(artifact.artifact.id(), std::move(artifact));
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second.channel, a.second.sequence) <
           std::tie(b.first, b.second.channel, b.second.sequence);
  });
  view.artifacts.clear();
  for (auto& [id, artifact] : keyed) view.artifacts.push_back(std::move(artifact));
}

std::uint64_t distinct_bytes(const MirrorView& view) {
  std::unordered_set<Digest> seen;
  std::uint64_t bytes = 0;
  for (const auto& mirrored : view.artifacts) {
    for (const auto& file : mirrored.artifact.files) {
      if (seen.insert(file.digest).second) bytes += file.size;
    }
  }
  return bytes;
}

}  // namespace

std::shared_ptr<const MirrorState> load_mirror_state(const Catalog& catalog, const std::vector<MakeRoute>& table,
                                                     const RouteEnvironment& environment) {
  auto state = std::make_shared<MirrorState>();
  auto view = std::make_shared<MirrorView>();
  // Read before the content: a change in between makes the next look find a newer generation.
  state->generation = catalog.generation();
  state->publications = catalog.publications();
  std::stable_sort(state->publications.begin(), state->publications.end(),
                   [](const auto& a, const auto& b) { return a.published_at < b.published_at; });
  for (const auto& summary : state->publications) {
    const auto publication = catalog.publication(summary.channel, summary.sequence);
    if (!publication) continue;  // retired meanwhile
    add_publication(*state, *view, *publication);
    state->sync.add(*publication);
    if (summary.latest) state->latest[summary.channel] = summary.sequence;
  }
  state->files.seal();
  state->bundles.seal();
  state->sync.seal(published_bundles(catalog));
  sort_view(*view);
  state->bytes = distinct_bytes(*view);
  state->view = view;
  for (const auto make : table) {
    try {
      state->routes.push_back(make(view, environment));
    } catch (const std::exception& error) {
      if (!environment.warn) throw;
      environment.warn(fmt::format("an ecosystem is not served: {}", error.what()));
    }
  }
  // The longest prefix first, so that the first that fits is the right one.
  std::stable_sort(state->routes.begin(), state->routes.end(),
                   [](const auto& a, const auto& b) { return a->prefix().size() > b->prefix().size(); });
  return state;
}

}  // namespace liftlock
