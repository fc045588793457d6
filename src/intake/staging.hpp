// The second step of an import: every file is hashed, once, on its way into staging, and compared with what is stated
// of it. What was staged is what is used from then on; the medium is not asked again.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/reporter.hpp"
#include "intake/shape.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

/// StagedFiles over a batch of the store.
class Staging : public StagedFiles {
 public:
  /// Of a range that is a blob of the batch already.
  using Before = std::function<std::optional<Digest>(const TreeBytes&)>;

  /// Both outlive it. @param remarks where remark() puts what people should see
  Staging(StagedBlobs& staged, std::vector<std::string>& remarks, Before before)
      : m_staged(staged), m_remarks(remarks), m_before(std::move(before)) {}

  const Digest& digest(const Tree& tree, std::string_view path) const override;
  UniqueFd open(const Digest& digest) const override { return m_staged.open(digest); }
  bool has(const Digest& digest) const override { return m_staged.has(digest); }
  Digest keep(std::string_view document) override;
  Digest make(const std::function<void(int out)>& write) override;
  void remark(std::string text) override { m_remarks.push_back(std::move(text)); }

  /// Is there room for what was found, besides what must stay free? @throws Error{disk_full}
  void require_room_for(const Found& found, const BlobStore& store, std::uint64_t reserve) const;
  /// Takes all that was found; what is in the store already is hashed and compared, and not written again.
  /// @throws Error{digest_mismatch, blob_corrupt, size_mismatch, disk_full}
  void take(const Found& found, const BlobStore& store, Reporter& reporter);

 private:
  Digest take_file(const WantedFile& file, std::size_t number, const BlobStore& store,
                   const std::function<void(std::uint64_t)>& advance);
  void note(const WantedFile& file, const Digest& digest);

  StagedBlobs& m_staged;
  std::vector<std::string>& m_remarks;
  Before m_before;
  std::mutex m_mutex;
  std::map<std::pair<const Tree*, std::string>, Digest> m_digests;
  std::size_t m_made = 0;
};

/// Is there room for so many bytes, besides what must stay free? @throws Error{disk_full}
void require_room(std::uint64_t needed, const fs::path& folder, std::uint64_t reserve);

}  // namespace liftlock
