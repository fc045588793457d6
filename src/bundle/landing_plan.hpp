// High side: what of a bundle lands: what a scanner let cross, and what a peer still has in use.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bundle/bundle_reader.hpp"
#include "bundle/ingest.hpp"
#include "bundle/withheld.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

class LandingPlan {
 public:
  /// Has the bundle leave out what is withheld, too.
  /// @param bundle with its lists; outlives the plan
  /// @param remote where it comes from a peer, else nullptr; only asked here
  /// @throws Error{scan_found} when nothing of it lands, and what check_withheld() and require_scanner() throw
  LandingPlan(BundleReader& bundle, const TrustRoot& root, const RemoteBundle* remote);

  /// The statement of the scanner, where there is one.
  const std::optional<CarriedWithheld>& withheld() const { return m_withheld; }
  const Landing& landing() const { return m_landing; }
  /// Indexes of the bundle's files.
  const std::vector<std::size_t>& to_land() const { return m_to_land; }
  /// The files to land, and those that a delta left out.
  std::vector<FileEntry> content() const;
  /// Does the store hold all of that? A blob that scrub put into quarantine comes back by the same command.
  bool is_stored_in(const BlobStore& store) const;
  /// For people: what does not cross, and what does not land for want of it.
  const std::vector<std::string>& notes() const { return m_notes; }

 private:
  /// Not by what needs what: in use at the peer is what is in use there.
  void leave_withdrawn(const RemoteBundle& remote);

  const BundleReader& m_bundle;
  std::optional<CarriedWithheld> m_withheld;
  Landing m_landing;
  std::vector<std::size_t> m_to_land;
  std::vector<FileEntry> m_left_out;  ///< by a delta, of what lands
  std::vector<std::string> m_notes;
};

}  // namespace liftlock
