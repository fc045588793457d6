#include "audit/compact_range.hpp"

#include <bit>
#include <span>

namespace liftlock {
namespace {

TreeHash perfect_root(std::span<const TreeHash> hashes) {
  if (hashes.size() == 1) return hashes.front();
  const auto half = hashes.size() / 2;
  return node_hash(perfect_root(hashes.first(half)), perfect_root(hashes.subspan(half)));
}

}  // namespace

CompactRange::CompactRange(const TreeEdge& edge) : m_size(edge.size()) {
  for (auto level = edge.levels().rbegin(); level != edge.levels().rend(); ++level) {
    for (std::span<const TreeHash> rest(*level); !rest.empty();) {
      const auto width = std::bit_floor(rest.size());
      m_peaks.push_back(perfect_root(rest.first(width)));
      rest = rest.subspan(width);
    }
  }
}

void CompactRange::append(const TreeHash& leaf) {
  auto hash = leaf;
  for (auto rest = m_size; (rest & 1) != 0; rest >>= 1) {
    hash = node_hash(m_peaks.back(), hash);
    m_peaks.pop_back();
  }
  m_peaks.push_back(hash);
  ++m_size;
}

TreeHash CompactRange::root() const {
  if (m_peaks.empty()) return empty_root();
  auto hash = m_peaks.back();
  for (auto peak = m_peaks.rbegin() + 1; peak != m_peaks.rend(); ++peak) hash = node_hash(*peak, hash);
  return hash;
}

}  // namespace liftlock
