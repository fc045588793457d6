// The Merkle tree of RFC 6962 in C2SP tlog-tiles form: hashes, the right edge of a growing tree, tile names, proofs.
// A tile (level L, number N) holds the hashes of up to 256 complete subtrees of height 8·L, 32 bytes each; an entry
// bundle holds the up to 256 entries below tile (0, N), each after its length as a big-endian uint16.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

using TreeHash = std::array<std::uint8_t, 32>;

inline constexpr std::size_t k_tile_width = 256;
inline constexpr std::size_t k_max_entry_bytes = 65535;

/// SHA-256 of nothing.
TreeHash empty_root();
/// SHA-256(0x00 || entry)
TreeHash leaf_hash(std::string_view entry);
/// SHA-256(0x01 || left || right)
TreeHash node_hash(const TreeHash& left, const TreeHash& right);
std::string_view as_text(const TreeHash& hash);

/// "tile/0/x001/234", and with 0 < width < 256 "tile/0/x001/234.p/17". A negative level names an entry bundle.
std::string tile_path(int level, std::uint64_t number, std::size_t width);

/// A tile that has become full.
struct FullTile {
  int level = 0;
  std::uint64_t number = 0;
  std::vector<TreeHash> hashes;
};

/// The part of a tree that still changes: for each level the hashes of its last, partial tile. A value.
class TreeEdge {
 public:
  std::uint64_t size() const { return m_size; }
  /// RFC 6962 Merkle tree hash; SHA-256 of nothing for an empty tree.
  TreeHash root() const;
  /// Adds a leaf and returns the tiles that it filled, lowest level first.
  std::vector<FullTile> append(const TreeHash& leaf);
  /// levels()[L] holds fewer than 256 hashes.
  const std::vector<std::vector<TreeHash>>& levels() const { return m_levels; }
  /// @throws Error{audit_broken} when the counts of the levels are not those of a tree of that size
  static TreeEdge restore(std::uint64_t size, std::vector<std::vector<TreeHash>> levels);

 private:
  std::uint64_t m_size = 0;
  std::vector<std::vector<TreeHash>> m_levels;
};

/// The hashes of tile (level, number) as the tree of the size at hand has them.
using ReadTile = std::function<std::vector<TreeHash>(int level, std::uint64_t number)>;

/// Merkle tree hash of the leaves [0, size) of a tree that is at least that large.
TreeHash root_at(std::uint64_t size, const ReadTile& read_tile);
/// RFC 6962 §2.1.1 audit path of leaf `index` in the tree of that size. Precondition: index < size.
std::vector<TreeHash> inclusion_path(std::uint64_t index, std::uint64_t size, const ReadTile& read_tile);
/// The root that leaf `index` and its path lead to (RFC 9162 §2.1.3.2); nullopt for a path of the wrong length.
std::optional<TreeHash> root_by_path(std::uint64_t index, std::uint64_t size, const TreeHash& leaf,
                                     const std::vector<TreeHash>& path);

/// RFC 6962 §2.1.2 consistency proof from the tree of old_size to that of size; empty when old_size is 0 or size.
/// Precondition: old_size <= size.
std::vector<TreeHash> consistency_path(std::uint64_t old_size, std::uint64_t size, const ReadTile& read_tile);
/// Does the path prove that the tree of new_root continues that of old_root (RFC 9162 §2.1.4.2)? The empty tree is
/// continued by every tree; its path is empty (C2SP tlog-witness).
bool is_continuation(std::uint64_t old_size, const TreeHash& old_root, std::uint64_t new_size, const TreeHash& new_root,
                     const std::vector<TreeHash>& path);

/// One entry with its length in front. Precondition: at most k_max_entry_bytes.
std::string frame_entry(std::string_view entry);
/// @throws Error{audit_broken} for a torn or over-full bundle
std::vector<std::string> parse_entry_bundle(std::string_view bundle);
/// @throws Error{audit_broken} unless it is 1 to 256 whole hashes
std::vector<TreeHash> parse_tile(std::string_view bytes);

}  // namespace liftlock
