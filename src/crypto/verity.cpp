#include "crypto/verity.hpp"

#include <algorithm>
#include <array>
#include <future>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 4096;
constexpr std::size_t k_hash = 32;
constexpr std::size_t k_hashes_per_block = k_block / k_hash;
static_assert(VerityTree::k_piece == k_hashes_per_block * k_block);

using Block = std::array<std::uint8_t, k_block>;
using Hash = std::array<std::uint8_t, k_hash>;

/// The hash of a block of which `bytes` are the beginning; zeros follow.
Hash hash_of_block(std::span<const std::uint8_t> bytes) {
  static constexpr Block k_zeros{};
  thread_local Hasher hasher;
  hasher.update(bytes);
  hasher.update(std::span(k_zeros).subspan(bytes.size()));
  Hash out;
  std::ranges::copy(hasher.finish().bytes(), out.begin());
  return out;
}

/// One level up: the hashes of the blocks that these fill.
std::vector<Hash> hashes_above(std::span<const Hash> hashes) {
  std::vector<Hash> above;
  while (!hashes.empty()) {
    const auto block = hashes.first(std::min(hashes.size(), k_hashes_per_block));
    above.push_back(hash_of_block({block.front().data(), block.size() * k_hash}));
    hashes = hashes.subspan(block.size());
  }
  return above;
}

}  // namespace

VerityTree::VerityTree(std::uint64_t size)
    : m_size(size), m_hashes(static_cast<std::size_t>((size + k_piece - 1) / k_piece)) {}

std::size_t VerityTree::length(std::size_t piece) const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(k_piece, m_size - begin(piece)));
}

void VerityTree::add(std::size_t piece, std::span<const std::uint8_t> bytes) {
  if (bytes.size() != length(piece)) fail(ErrorCode::internal, "a piece of a tree has another length");
  if (m_size <= k_block) {
    m_hashes[piece] = hash_of_block(bytes);
    return;
  }
  std::vector<Hash> hashes;
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), k_block)))
    hashes.push_back(hash_of_block(bytes.first(std::min(bytes.size(), k_block))));
  m_hashes[piece] = hashes_above(hashes)[0];
}

Digest VerityTree::digest() const {
  auto hashes = m_hashes;
  while (hashes.size() > 1) hashes = hashes_above(hashes);
  // struct fsverity_descriptor
  std::array<std::uint8_t, 256> descriptor{};
  descriptor[0] = 1;   // version
  descriptor[1] = 1;   // hash_algorithm: SHA-256
  descriptor[2] = 12;  // log_blocksize
  for (std::size_t i = 0; i < 8; ++i) descriptor[8 + i] = static_cast<std::uint8_t>(m_size >> (8 * i));
  if (!hashes.empty()) std::ranges::copy(hashes[0], descriptor.begin() + 16);
  return sha256(descriptor);
}

FileDigests digests_of_file(int fd, std::uint64_t size, std::string_view what,
                            const std::function<void(std::uint64_t)>& progress,
                            const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& copy) {
  constexpr std::size_t k_pieces_at_once = 8;
  VerityTree tree(size);
  Hasher hasher;
  std::vector<std::uint8_t> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(size, k_pieces_at_once * std::uint64_t{VerityTree::k_piece})));
  for (std::size_t piece = 0; piece < tree.pieces(); piece += k_pieces_at_once) {
    const auto end = std::min(tree.pieces(), piece + k_pieces_at_once);
    const auto block = std::span(buffer).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - tree.begin(piece))));
    if (!pread_exact(fd, block, tree.begin(piece), what)) {
      fail(ErrorCode::size_mismatch, "'{}' ends before its {} bytes", printable(what), size);
    }
    if (copy) copy(tree.begin(piece), block);
    const auto add = [&, block] {
      for (auto i = piece; i < end; ++i)
        tree.add(i, block.subspan(static_cast<std::size_t>(tree.begin(i) - tree.begin(piece)), tree.length(i)));
    };
    auto beside = std::async(std::launch::async, add);
    hasher.update(block);
    beside.get();
    if (progress) progress(block.size());
  }
  return {hasher.finish(), tree.digest()};
}

}  // namespace liftlock
