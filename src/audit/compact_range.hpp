// The roots of the perfect subtrees that a Merkle tree of RFC 6962 is made of: what its root needs, and no more, so
// that an append costs some hashes, whatever the size of the last tiles.
#pragma once

#include "audit/merkle.hpp"

namespace liftlock {

/// A value. Of the empty tree, or of what an edge holds.
class CompactRange {
 public:
  CompactRange() = default;
  explicit CompactRange(const TreeEdge& edge);

  std::uint64_t size() const { return m_size; }
  void append(const TreeHash& leaf);
  /// As TreeEdge::root().
  TreeHash root() const;

 private:
  std::uint64_t m_size = 0;
  std::vector<TreeHash> m_peaks;  ///< one for each bit of the size, the largest subtree first
};

}  // namespace liftlock
