#include "ecosystem/hub/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "crypto/sha256sums.hpp"
#include "ecosystem/hub/git_oid.hpp"

namespace liftlock::hub {
namespace {

constexpr std::string_view k_main = "main";

bool is_part(std::string_view part) {
  return !part.empty() && part.size() <= 96 && part.front() != '.' && part.front() != '-' &&
         std::all_of(part.begin(), part.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

/// The whole content in 40 digits.
std::string commit_of_content(const Artifact& model) {
  std::vector<ListedDigest> listed;
  for (const auto& file : model.files) listed.push_back({file.path.text(), file.digest});
  return directory_hash(listed).hex().substr(0, 40);
}

std::string git_oid_of(const ArtifactFile& file) {
  for (const auto& evidence : file.evidence) {
    if (evidence.type != "git-oid") continue;
    const auto sha1 = evidence.details.find("sha1");
    if (sha1 != evidence.details.end() && sha1->is_string() && is_git_oid(sha1->get_ref<const std::string&>()))
      return sha1->get<std::string>();
  }
  return {};
}

std::string local_name(std::string_view name) {
  std::string out(name.substr(0, 96));
  for (auto& c : out) {
    if (!is_part(std::string_view(&c, 1)) && c != '.' && c != '-') c = '-';
  }
  return is_part(out) ? out : "model-" + out.substr(0, 90);
}

}  // namespace

bool is_repository(std::string_view text) {
  const auto parts = split(text, '/');
  return (parts.size() == 1 || parts.size() == 2) && std::all_of(parts.begin(), parts.end(), is_part);
}

Place place_of(const Artifact& model) {
  auto repository = text_in(model.facts, "repository");
  auto commit = text_in(model.facts, "commit");
  if (is_repository(repository) && is_git_oid(commit)) {
    auto revision = text_in(model.facts, "revision");
    const bool telling = !revision.empty() && revision != commit && revision != k_main && revision.size() <= 250;
    return {std::move(repository), std::move(commit), telling ? std::optional(std::move(revision)) : std::nullopt};
  }
  return {fmt::format("{}/{}", k_local_owner, local_name(model.name)), commit_of_content(model), std::nullopt};
}

std::string_view path_in_model(const ArtifactFile& file) {
  std::string_view text = file.path.text();
  for (int i = 0; i < 2; ++i) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
  }
  return text;
}

std::map<std::string, File> files_of(const Artifact& model) {
  std::map<std::string, File> out;
  for (const auto& file : model.files) {
    const auto oid = git_oid_of(file);
    out.insert_or_assign(std::string(path_in_model(file)), File{file, oid.empty() ? file.digest.hex() : oid});
  }
  return out;
}

namespace {

/// Taken in by `liftlock import`, whoever vouched for it.
bool is_import(const Artifact& model) {
  return std::any_of(model.files.begin(), model.files.end(), [](const ArtifactFile& file) {
    return std::any_of(file.evidence.begin(), file.evidence.end(),
                       [](const auto& one) { return one.type == "import"; });
  });
}

}  // namespace

void Repository::add(const Artifact& model, const Place& place, Timestamp published_at) {
  auto& snapshot = m_snapshots[place.commit];
  if (is_import(model)) {
    // Names of repositories and commits are an import's own word: it adds, and replaces nothing that a bundle brought.
    for (auto& [path, file] : files_of(model)) snapshot.files.emplace(path, std::move(file));
    if (snapshot.license.empty()) snapshot.license = model.license;
    if (m_from_bundle) return;
  } else {
    m_from_bundle = true;
    for (auto& [path, file] : files_of(model)) snapshot.files.insert_or_assign(path, std::move(file));
    if (!model.license.empty()) snapshot.license = model.license;
  }
  snapshot.published_at = published_at;
  m_main = place.commit;
  m_tags.insert_or_assign(model.version, place.commit);
  if (place.revision) m_tags.insert_or_assign(*place.revision, place.commit);
}

std::optional<Repository::Found> Repository::find(std::string_view revision) const {
  auto commit = revision;
  if (revision == k_main) {
    commit = m_main;
  } else if (const auto tag = m_tags.find(revision); tag != m_tags.end()) {
    commit = tag->second;
  }
  const auto found = m_snapshots.find(commit);
  if (found == m_snapshots.end()) return std::nullopt;
  return Found{found->first, &found->second};
}

}  // namespace liftlock::hub
