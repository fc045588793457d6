// Every bit of a whole bundle, README, padding and signatures included, flipped one at a time: none goes unnoticed.
// LIFTLOCK_EVERY_BIT=1 tries all of them; without it every 61st, which meets each bit of a byte.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bundle/bundle_fixture.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

class BitsTest : public BundleTest {
 protected:
  BitsTest() {
    m_artifacts.clear();
    add("file", "hello", "1", {{"files/hello/empty.txt", ""}, {"files/hello/hello.txt", "hello"}});
  }

  void try_bits(ContentForm form) {
    packed("whole", form);
    ASSERT_TRUE(verified("whole").problems.empty());
    const auto files = walk(m_folder.path() / "whole", 100);
    constexpr unsigned k_hands = 2;
    for (unsigned i = 0; i < k_hands; ++i) {
      fs::copy(m_folder.path() / "whole", m_folder.path() / std::to_string(i), fs::copy_options::recursive);
    }
    std::atomic<std::size_t> tried{0};
    parallel_for(k_hands, [&](std::size_t hand) {
      for (const auto& file : files) flip_all(std::to_string(hand), file.path, hand, k_hands, tried);
    });
    std::uint64_t bytes = 0;
    for (const auto& file : files) bytes += static_cast<std::uint64_t>(file.status.st_size);
    EXPECT_LE(bytes, 64u << 10);
    EXPECT_GE(tried, bytes * 8 / step() - files.size() - k_hands);
    RecordProperty("bits", static_cast<int>(tried));
    std::printf("%zu of %zu bits flipped, none unnoticed\n", tried.load(), static_cast<std::size_t>(bytes * 8));
  }

 private:
  static std::size_t step() { return std::getenv("LIFTLOCK_EVERY_BIT") != nullptr ? 1 : 61; }

  /// Not synced: there are many.
  void put(const fs::path& path, const std::string& bytes) {
    std::ofstream(m_folder.path() / path, std::ios::binary | std::ios::trunc) << bytes;
  }

  void flip_all(const std::string& where, const std::string& path, std::size_t hand, std::size_t hands,
                std::atomic<std::size_t>& tried) {
    const auto good = content(where + "/" + path);
    for (std::size_t bit = hand * step(); bit < good.size() * 8; bit += hands * step()) {
      auto bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      put(fs::path(where) / path, bad);
      ++tried;
      try {
        EXPECT_FALSE(verified(where).problems.empty()) << path << " bit " << bit;
      } catch (const Error&) {  // no bundle any more
      }
    }
    put(fs::path(where) / path, good);
  }
};

TEST_F(BitsTest, NoFlippedBitOfATreeGoesUnnoticed) {
  try_bits(ContentForm::tree);
}

TEST_F(BitsTest, NoFlippedBitOfATarGoesUnnoticed) {
  try_bits(ContentForm::tar);
}

}  // namespace
}  // namespace liftlock
