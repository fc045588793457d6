#include "intake/whole_copy.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

class WholeCopyTest : public ::testing::Test {
 protected:
  WholeCopyTest() {
    std::uint64_t seed = 1;
    for (auto& c : m_bytes) c = static_cast<char>((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 56);
    write_file_atomically(source(), m_bytes);
  }
  fs::path source() const { return m_folder.path() / "source"; }
  WholeCopy copy(const std::vector<WholePart>& parts) {
    return copy_whole(source(), m_store.folder(), parts, m_staged, {});
  }
  std::string staged(const Digest& digest) const { return read_all(m_staged.open(digest).get(), 64u << 20, "a blob"); }

  TemporaryFolder m_folder;
  std::string m_bytes = std::string(12'345'678, '\0');
  BlobStore m_store{m_folder.path() / "store"};
  StagedBlobs m_staged{m_store, "copy"};
};

TEST_F(WholeCopyTest, PartsAreStagedAndTheRestIsCopied) {
  const std::vector<WholePart> parts = {{100, 5'000'001}, {5'000'101, 3'000'000}, {9'000'000, 3'345'678}};
  const auto whole = copy(parts);
  EXPECT_EQ(whole.digest, sha256(m_bytes));
  ASSERT_EQ(whole.taken.size(), parts.size());
  const auto kept = read_all(whole.file.get(), 64u << 20, "the copy");
  ASSERT_EQ(kept.size(), m_bytes.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto content = m_bytes.substr(parts[i].offset, parts[i].size);
    EXPECT_EQ(whole.taken[i].digest, sha256(content));
    EXPECT_EQ(whole.digest_of(parts[i].offset, parts[i].size), sha256(content));
    EXPECT_EQ(staged(sha256(content)), content);
    constexpr std::size_t k_edge = 1u << 20;
    EXPECT_EQ(kept.substr(parts[i].offset, k_edge), content.substr(0, k_edge));
    EXPECT_EQ(kept.substr(parts[i].offset + parts[i].size - k_edge, k_edge), content.substr(content.size() - k_edge));
  }
  EXPECT_EQ(kept.substr(0, 100), m_bytes.substr(0, 100));
  EXPECT_EQ(kept.substr(8'000'101, 999'899), m_bytes.substr(8'000'101, 999'899));
  EXPECT_EQ(kept[3'000'000], '\0') << "a hole";
}

TEST_F(WholeCopyTest, WithoutPartsItIsACopy) {
  const auto whole = copy({});
  EXPECT_EQ(whole.digest, sha256(m_bytes));
  EXPECT_EQ(read_all(whole.file.get(), 64u << 20, "the copy"), m_bytes);
  EXPECT_EQ(whole.digest_of(0, m_bytes.size()), std::nullopt);
}

TEST_F(WholeCopyTest, NobodyReadsAHoleForContent) {
  const auto whole = copy({{1'000'000, 5'000'000}});
  EXPECT_EQ(whole.digest_of(0, 1'000'000), std::nullopt);
  EXPECT_EQ(whole.digest_of(6'000'000, 100), std::nullopt);
  for (const auto& [offset, size] :
       {std::pair{999'999u, 2u}, {1'000'000u, 4'999'999u}, {2'000'000u, 1u}, {0u, 12'345'678u}})
    EXPECT_EQ(code_of([&] { (void)whole.digest_of(offset, size); }), ErrorCode::digest_mismatch) << offset;
}

TEST_F(WholeCopyTest, AFileThatBecameShorterThanItsPartsEndsIt) {
  EXPECT_EQ(code_of([&] { (void)copy({{4'000'000, 20'000'000}}); }), ErrorCode::size_mismatch);
  EXPECT_EQ(code_of([&] { (void)copy({{20'000'000, 5'000'000}}); }), ErrorCode::size_mismatch);
}

TEST_F(WholeCopyTest, AFailureOfEitherThreadEndsIt) {
  EXPECT_EQ(code_of([&] { (void)copy_whole("/dev/zero", m_store.folder(), {}, m_staged, {}); }),
            ErrorCode::not_regular);
  // The other thread: the batch is gone.
  m_staged.discard();
  EXPECT_NE(code_of([&] { (void)copy({{0, 12'000'000}}); }), std::nullopt);
}

}  // namespace
}  // namespace liftlock
