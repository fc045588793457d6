#include "audit/merkle.hpp"

#include <gtest/gtest.h>

#include <map>

#include "audit/compact_range.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

/// RFC 6962 §2.1 as it is written there.
TreeHash naive_root(const std::vector<TreeHash>& leaves, std::size_t begin, std::size_t end) {
  if (end - begin == 1) return leaves[begin];
  std::size_t split = 1;
  while (split * 2 < end - begin) split *= 2;
  return node_hash(naive_root(leaves, begin, begin + split), naive_root(leaves, begin + split, end));
}

struct GrownTree {
  TreeEdge edge;
  std::vector<TreeHash> leaves;
  std::map<std::pair<int, std::uint64_t>, std::vector<TreeHash>> tiles;

  explicit GrownTree(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      leaves.push_back(leaf_hash(std::to_string(i)));
      for (auto& tile : edge.append(leaves.back())) tiles[{tile.level, tile.number}] = tile.hashes;
    }
  }
  ReadTile reader() const {
    return [this](int level, std::uint64_t number) {
      const auto found = tiles.find({level, number});
      return found != tiles.end() ? found->second : edge.levels().at(static_cast<std::size_t>(level));
    };
  }
};

TEST(Merkle, HashesAreThoseOfRfc6962) {
  EXPECT_EQ(encode_hex(TreeEdge().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(encode_hex(leaf_hash("")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

TEST(Merkle, TheEdgeHasTheRootThatTheRfcDefines) {
  GrownTree tree(0);
  for (std::size_t size = 1; size <= 1100; ++size) {
    tree.leaves.push_back(leaf_hash(std::to_string(size)));
    tree.edge.append(tree.leaves.back());
    if (size < 40 || size % 37 == 0 || size % 256 < 2) {
      ASSERT_EQ(tree.edge.root(), naive_root(tree.leaves, 0, size)) << size;
    }
  }
}

TEST(Merkle, ACompactRangeHasTheRootOfItsEdge) {
  TreeEdge edge;
  CompactRange range;
  EXPECT_EQ(range.root(), empty_root());
  for (std::uint64_t i = 0; i < 1100; ++i) {
    const auto leaf = leaf_hash("entry " + std::to_string(i));
    edge.append(leaf);
    range.append(leaf);
    ASSERT_EQ(range.root(), edge.root()) << i;
    ASSERT_EQ(CompactRange(edge).root(), edge.root()) << i;
  }
  EXPECT_EQ(range.size(), edge.size());
  // Begun anew from an edge, it goes on the same way.
  CompactRange again(edge);
  for (std::uint64_t i = 1100; i < 1400; ++i) {
    const auto leaf = leaf_hash("entry " + std::to_string(i));
    edge.append(leaf);
    again.append(leaf);
    ASSERT_EQ(again.root(), edge.root()) << i;
  }
}

TEST(Merkle, EarlierRootsAndPathsFollowFromTheTiles) {
  const GrownTree tree(70'000);  // two levels of full tiles
  EXPECT_TRUE(tree.tiles.contains({1, 0}));
  for (const std::uint64_t size : {1, 2, 3, 255, 256, 257, 511, 65'535, 65'536, 65'537, 70'000}) {
    const auto root = root_at(size, tree.reader());
    EXPECT_EQ(root, naive_root(tree.leaves, 0, size)) << size;
    for (const std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
      auto path = inclusion_path(index, size, tree.reader());
      EXPECT_EQ(root_by_path(index, size, tree.leaves[index], path), root);
      EXPECT_NE(root_by_path(index, size, leaf_hash("another"), path), root);
      path.push_back(root);
      EXPECT_EQ(root_by_path(index, size, tree.leaves[index], path), std::nullopt) << "too long";
      path.resize(path.size() - 1);
      if (path.empty()) continue;
      path.pop_back();
      EXPECT_EQ(root_by_path(index, size, tree.leaves[index], path), std::nullopt) << "too short";
    }
  }
}

TEST(Merkle, AConsistencyProofFitsItsTwoTreesAndNoOther) {
  constexpr std::size_t k_size = 40;
  std::vector<TreeHash> roots{empty_root()};
  for (std::size_t size = 1; size <= k_size; ++size) roots.push_back(GrownTree(size).edge.root());
  for (std::size_t size = 1; size <= k_size; ++size) {
    const GrownTree tree(size);
    for (std::size_t old = 0; old <= size; ++old) {
      auto path = consistency_path(old, size, tree.reader());
      EXPECT_TRUE(is_continuation(old, roots[old], size, roots[size], path)) << old << " " << size;
      for (std::size_t other = 1; other <= k_size; ++other) {
        if (other == old || other > size || old == 0) continue;
        EXPECT_FALSE(is_continuation(other, roots[other], size, roots[size], path)) << old << " " << other;
      }
      if (old == 0) continue;
      EXPECT_FALSE(is_continuation(old, leaf_hash("other"), size, roots[size], path)) << old << " " << size;
      EXPECT_FALSE(is_continuation(old, roots[old], size, leaf_hash("other"), path)) << old << " " << size;
      for (auto& hash : path) {
        hash[7] ^= 1;
        EXPECT_FALSE(is_continuation(old, roots[old], size, roots[size], path)) << old << " " << size;
        hash[7] ^= 1;
      }
      path.push_back(roots[1]);
      EXPECT_FALSE(is_continuation(old, roots[old], size, roots[size], path)) << "too long";
      path.pop_back();
      if (path.empty()) continue;
      path.pop_back();
      EXPECT_FALSE(is_continuation(old, roots[old], size, roots[size], path)) << "too short";
    }
  }
}

TEST(Merkle, AConsistencyProofReachesAcrossTiles) {
  const GrownTree tree(70'000);
  for (const std::size_t old : {1, 255, 256, 257, 511, 512, 4096, 65'535, 65'536, 65'537, 69'999, 70'000}) {
    const auto path = consistency_path(old, 70'000, tree.reader());
    EXPECT_TRUE(is_continuation(old, root_at(old, tree.reader()), 70'000, tree.edge.root(), path)) << old;
    EXPECT_LE(path.size(), 34u);
  }
}

TEST(Merkle, TilesAreNamedAsC2spSays) {
  EXPECT_EQ(tile_path(0, 0, 256), "tile/0/000");
  EXPECT_EQ(tile_path(1, 1234067, 0), "tile/1/x001/x234/067");
  EXPECT_EQ(tile_path(-1, 1000, 17), "tile/entries/x001/000.p/17");
}

TEST(Merkle, ATornBundleIsRefused) {
  const auto good = frame_entry("a") + frame_entry("") + frame_entry(std::string(300, 'x'));
  EXPECT_EQ(parse_entry_bundle(good).size(), 3u);
  EXPECT_THROW(parse_entry_bundle(good.substr(0, good.size() - 1)), Error);
  EXPECT_THROW(parse_entry_bundle(good + '\0'), Error);
}

TEST(Merkle, AnEdgeOfTheWrongShapeIsRefused) {
  EXPECT_THROW(TreeEdge::restore(3, {{TreeHash{}, TreeHash{}}}), Error);
  EXPECT_NO_THROW(TreeEdge::restore(2, {{TreeHash{}, TreeHash{}}}));
}

}  // namespace
}  // namespace liftlock
