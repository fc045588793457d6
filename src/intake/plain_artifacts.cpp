#include "intake/plain_artifacts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "crypto/sha256sums.hpp"
#include "ecosystem/helm/inspector.hpp"

namespace liftlock {
namespace {

/// Names that the media and file systems on the way would not take are changed; those that lead elsewhere are refused.
std::string portable_path(const std::string& path) {
  std::string out;
  for (const auto component : split(path, '/')) {
    const bool elsewhere = component.empty() || component == "." || component == "..";
    const auto kept =
        elsewhere || RelPath::try_parse(component) ? std::string(component) : portable_component(component);
    out += (out.empty() ? "" : "/") + kept;
  }
  return out;
}

}  // namespace

Artifact make_chart(const StagedPart& part, const StagedFiles& staged, const ImportCells& cells) {
  const auto about = cells.describe("chart", staged.open(part.digest).get(), part.path);
  Artifact out{.kind = std::string(helm::k_kind),
               .name = string_member(about, "name", part.path),
               .version = string_member(about, "version", part.path),
               .license = {},
               .facts = object_member(about, "facts", part.path),
               .needs = {},
               .files = {}};
  out.files.push_back({.path = RelPath::parse(helm::path_in_bundle(out.name, out.version)),
                       .size = staged.size(part.digest),
                       .digest = part.digest,
                       .origin = part.origin,
                       .evidence = part.evidence});
  return out;
}

Artifact make_files(const std::string& name, const std::string& version, const std::string& folder,
                    const std::vector<StagedPart>& parts, StagedFiles& staged) {
  Artifact out{.kind = "file",
               .name = portable_component(name),
               .version = version.empty() ? std::string() : portable_component(version),
               .license = {},
               .facts = {{"category", "files"}},
               .needs = {},
               .files = {}};
  std::vector<ListedDigest> listed;
  for (const auto& part : parts) {
    const auto below = portable_path(part.path);
    const auto path = RelPath::parse("files/" + (folder.empty() ? below : folder + "/" + below));
    if (below != part.path) staged.remark(fmt::format("'{}' is called {} here", printable(part.path), path.text()));
    listed.push_back({path.text(), part.digest});
    out.files.push_back({.path = path,
                         .size = staged.size(part.digest),
                         .digest = part.digest,
                         .origin = part.origin,
                         .evidence = part.evidence});
  }
  std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  if (out.version.empty())
    out.version = (listed.size() == 1 ? listed.front().digest : directory_hash(listed)).hex().substr(0, 12);
  return out;
}

}  // namespace liftlock
