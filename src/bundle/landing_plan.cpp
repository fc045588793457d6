#include "bundle/landing_plan.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {

LandingPlan::LandingPlan(BundleReader& bundle, const TrustRoot& root, const RemoteBundle* remote) : m_bundle(bundle) {
  // A scanner may have kept files from crossing. The rest lands, as far as it does not need them.
  const auto carried = read_withheld(bundle.folder());
  if (carried) {
    check_withheld(carried->withheld, bundle);
    require_scanner(*carried, root, now());
    bundle.withhold(paths_of(carried->withheld));
    for (const auto& file : carried->withheld.files) {
      m_notes.push_back(fmt::format("withheld: {} ({})", file.path.text(), printable(file.reason)));
    }
  }
  m_withheld = carried;
  m_landing = judge_landing(bundle.artifacts(), carried ? paths_of(carried->withheld) : std::set<RelPath>());
  if (remote != nullptr) leave_withdrawn(*remote);
  for (const auto& left : m_landing.left) m_notes.push_back(fmt::format("does not land: {}", left));
  if (!bundle.artifacts().empty() && m_landing.artifacts.empty()) {
    throw Error(ErrorCode::scan_found, "everything in the bundle is withheld, or needs what is",
                "nothing landed; ask for another bundle");
  }
  std::unordered_set<std::string> landing;
  for (const auto& artifact : m_landing.artifacts) landing.insert(artifact.id());
  const auto lands = [&](const FileEntry& file) {
    return file.artifacts.empty() || std::any_of(file.artifacts.begin(), file.artifacts.end(),
                                                 [&](const auto& id) { return landing.contains(id); });
  };
  for (std::size_t i = 0; i < bundle.files().size(); ++i) {
    if (lands(bundle.files()[i])) m_to_land.push_back(i);
  }
  // A peer has what its bundle left out, and may have withdrawn some of it since.
  for (const auto& file : bundle.left_out()) {
    if (remote == nullptr || lands(file)) m_left_out.push_back(file);
  }
}

void LandingPlan::leave_withdrawn(const RemoteBundle& remote) {
  std::erase_if(m_landing.artifacts, [&](const Artifact& artifact) {
    const auto id = artifact.id();
    if (remote.has(id)) return false;
    m_landing.left.push_back(fmt::format("{}: the peer does not have it in use", id));
    return true;
  });
}

std::vector<FileEntry> LandingPlan::content() const {
  std::vector<FileEntry> files;
  for (const auto i : m_to_land) files.push_back(m_bundle.files()[i]);
  files.insert(files.end(), m_left_out.begin(), m_left_out.end());
  return files;
}

bool LandingPlan::is_stored_in(const BlobStore& store) const {
  const auto is_stored = [&](const auto& file) { return store.contains(file.digest); };
  return std::all_of(m_to_land.begin(), m_to_land.end(), [&](auto i) { return is_stored(m_bundle.files()[i]); }) &&
         std::all_of(m_left_out.begin(), m_left_out.end(), is_stored);
}

}  // namespace liftlock
