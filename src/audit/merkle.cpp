#include "audit/merkle.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

TreeHash to_hash(const Digest& digest) {
  TreeHash out;
  std::copy_n(digest.bytes().begin(), out.size(), out.begin());
  return out;
}

/// Root of a perfect tree over a power of two of hashes.
TreeHash perfect_root(std::vector<TreeHash> hashes) {
  while (hashes.size() > 1) {
    for (std::size_t i = 0; i < hashes.size() / 2; ++i) hashes[i] = node_hash(hashes[2 * i], hashes[2 * i + 1]);
    hashes.resize(hashes.size() / 2);
  }
  return hashes.front();
}

/// Root of the perfect subtree number `index` of height `height`.
TreeHash subtree(int height, std::uint64_t index, const ReadTile& read_tile) {
  const int level = height / 8;
  const std::uint64_t width = std::uint64_t{1} << (height % 8);
  const auto first = index * width;
  const auto tile = read_tile(level, first / k_tile_width);
  const auto at = first % k_tile_width;
  if (tile.size() < at + width) fail(ErrorCode::audit_broken, "{} is too short", tile_path(level, first / 256, 0));
  return perfect_root(
      {tile.begin() + static_cast<std::ptrdiff_t>(at), tile.begin() + static_cast<std::ptrdiff_t>(at + width)});
}

/// Merkle tree hash of the leaves [begin, end); begin is a multiple of the largest power of two below its length.
TreeHash range_root(std::uint64_t begin, std::uint64_t end, const ReadTile& read_tile) {
  const auto count = end - begin;
  if (std::has_single_bit(count)) return subtree(std::countr_zero(count), begin / count, read_tile);
  const auto split = begin + std::bit_floor(count - 1);
  return node_hash(range_root(begin, split, read_tile), range_root(split, end, read_tile));
}

}  // namespace

TreeHash empty_root() {
  return to_hash(sha256(std::string_view()));
}

TreeHash leaf_hash(std::string_view entry) {
  Hasher hasher;
  hasher.update(std::string_view("\0", 1));
  hasher.update(entry);
  return to_hash(hasher.finish());
}

TreeHash node_hash(const TreeHash& left, const TreeHash& right) {
  std::array<std::uint8_t, 65> input;
  input[0] = 1;
  std::copy(left.begin(), left.end(), input.begin() + 1);
  std::copy(right.begin(), right.end(), input.begin() + 33);
  return to_hash(sha256(input));
}

std::string_view as_text(const TreeHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string tile_path(int level, std::uint64_t number, std::size_t width) {
  std::string groups = fmt::format("{:03}", number % 1000);
  for (auto rest = number / 1000; rest > 0; rest /= 1000) groups = fmt::format("x{:03}/{}", rest % 1000, groups);
  const auto kind = level < 0 ? std::string("entries") : std::to_string(level);
  const auto partial = width > 0 && width < k_tile_width ? fmt::format(".p/{}", width) : std::string();
  return fmt::format("tile/{}/{}{}", kind, groups, partial);
}

TreeHash TreeEdge::root() const {
  std::optional<TreeHash> right;
  for (const auto& level : m_levels) {
    auto end = level.size();
    while (end > 0) {
      // The last perfect subtree among these hashes is as wide as their number's lowest set bit.
      const auto width = end & (~end + 1);
      const auto left = perfect_root(
          {level.begin() + static_cast<std::ptrdiff_t>(end - width), level.begin() + static_cast<std::ptrdiff_t>(end)});
      right = right ? node_hash(left, *right) : left;
      end -= width;
    }
  }
  return right ? *right : empty_root();
}

std::vector<FullTile> TreeEdge::append(const TreeHash& leaf) {
  std::vector<FullTile> filled;
  TreeHash hash = leaf;
  for (std::size_t level = 0;; ++level) {
    if (m_levels.size() == level) m_levels.emplace_back();
    m_levels[level].push_back(hash);
    if (m_levels[level].size() < k_tile_width) break;
    hash = perfect_root(m_levels[level]);
    const auto number = m_size >> (8 * (level + 1));
    filled.push_back({static_cast<int>(level), number, std::move(m_levels[level])});
    m_levels[level].clear();
  }
  ++m_size;
  return filled;
}

TreeEdge TreeEdge::restore(std::uint64_t size, std::vector<std::vector<TreeHash>> levels) {
  if (levels.size() > 8) fail(ErrorCode::audit_broken, "a tree of {} levels of tiles", levels.size());
  for (std::size_t level = 0; level < 8; ++level) {
    const auto expected = (size >> (8 * level)) % k_tile_width;
    if ((level < levels.size() ? levels[level].size() : 0) != expected) {
      fail(ErrorCode::audit_broken, "a tree of {} entries has {} hashes on the edge of level {}", size, expected,
           level);
    }
  }
  TreeEdge edge;
  edge.m_size = size;
  edge.m_levels = std::move(levels);
  return edge;
}

TreeHash root_at(std::uint64_t size, const ReadTile& read_tile) {
  return size == 0 ? empty_root() : range_root(0, size, read_tile);
}

std::vector<TreeHash> inclusion_path(std::uint64_t index, std::uint64_t size, const ReadTile& read_tile) {
  std::vector<TreeHash> path;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {
    const auto split = begin + std::bit_floor(end - begin - 1);
    if (index < split) {
      path.push_back(range_root(split, end, read_tile));
      end = split;
    } else {
      path.push_back(range_root(begin, split, read_tile));
      begin = split;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::optional<TreeHash> root_by_path(std::uint64_t index, std::uint64_t size, const TreeHash& leaf,
                                     const std::vector<TreeHash>& path) {
  auto hash = leaf;
  auto last = size - 1;
  for (const auto& sibling : path) {
    if (last == 0) return std::nullopt;
    if (index % 2 == 1 || index == last) {
      hash = node_hash(sibling, hash);
      while (index % 2 == 0 && index != 0) index /= 2, last /= 2;
    } else {
      hash = node_hash(hash, sibling);
    }
    index /= 2, last /= 2;
  }
  if (last != 0) return std::nullopt;
  return hash;
}

std::vector<TreeHash> consistency_path(std::uint64_t old_size, std::uint64_t size, const ReadTile& read_tile) {
  std::vector<TreeHash> path;
  if (old_size == 0) return path;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  // SUBPROOF of RFC 6962 §2.1.2, from the outside in: what is appended last there comes first here.
  while (old_size != end) {
    const auto split = begin + std::bit_floor(end - begin - 1);
    if (old_size <= split) {
      path.push_back(range_root(split, end, read_tile));
      end = split;
    } else {
      path.push_back(range_root(begin, split, read_tile));
      begin = split;
    }
  }
  // A whole old tree is known to who checks; a part of it is not.
  if (begin != 0) path.push_back(range_root(begin, end, read_tile));
  std::reverse(path.begin(), path.end());
  return path;
}

bool is_continuation(std::uint64_t old_size, const TreeHash& old_root, std::uint64_t new_size, const TreeHash& new_root,
                     const std::vector<TreeHash>& path) {
  if (old_size > new_size) return false;
  if (old_size == 0) return path.empty() && old_root == empty_root() && (new_size > 0 || new_root == empty_root());
  if (old_size == new_size) return path.empty() && old_root == new_root;
  auto rest = path;
  if (std::has_single_bit(old_size)) rest.insert(rest.begin(), old_root);
  if (rest.empty()) return false;
  auto first = old_size - 1;
  auto second = new_size - 1;
  while (first % 2 == 1) first /= 2, second /= 2;
  auto first_root = rest.front();
  auto second_root = rest.front();
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (second == 0) return false;
    if (first % 2 == 1 || first == second) {
      first_root = node_hash(rest[i], first_root);
      second_root = node_hash(rest[i], second_root);
      while (first % 2 == 0 && first != 0) first /= 2, second /= 2;
    } else {
      second_root = node_hash(second_root, rest[i]);
    }
    first /= 2, second /= 2;
  }
  return second == 0 && first_root == old_root && second_root == new_root;
}

std::string frame_entry(std::string_view entry) {
  std::string out;
  out.reserve(entry.size() + 2);
  out += static_cast<char>(entry.size() >> 8);
  out += static_cast<char>(entry.size() & 0xFF);
  out += entry;
  return out;
}

std::vector<std::string> parse_entry_bundle(std::string_view bundle) {
  std::vector<std::string> entries;
  while (!bundle.empty()) {
    if (bundle.size() < 2) fail(ErrorCode::audit_broken, "an entry bundle ends within a length");
    const auto size =
        static_cast<std::size_t>(static_cast<std::uint8_t>(bundle[0]) << 8 | static_cast<std::uint8_t>(bundle[1]));
    if (bundle.size() < 2 + size) fail(ErrorCode::audit_broken, "an entry bundle ends within an entry");
    if (entries.size() == k_tile_width) fail(ErrorCode::audit_broken, "an entry bundle of more than 256 entries");
    entries.emplace_back(bundle.substr(2, size));
    bundle.remove_prefix(2 + size);
  }
  return entries;
}

std::vector<TreeHash> parse_tile(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % 32 != 0 || bytes.size() > 32 * k_tile_width) {
    fail(ErrorCode::audit_broken, "a tile of {} bytes", bytes.size());
  }
  std::vector<TreeHash> hashes(bytes.size() / 32);
  for (std::size_t i = 0; i < hashes.size(); ++i) std::memcpy(hashes[i].data(), bytes.data() + 32 * i, 32);
  return hashes;
}

}  // namespace liftlock
