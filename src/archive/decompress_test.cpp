#include "archive/decompress.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/code_of.hpp"
#include "os/file.hpp"
#include "os/gigabyte_fixture.hpp"

namespace liftlock {
namespace {

TEST(Gzip, PiecesAreOneText) {
  const std::string large(600'000, 'a'), noise = [] {
    std::string out;
    for (std::uint32_t i = 0, x = 1; i < 900'000; ++i, x = x * 1664525 + 1013904223) out += static_cast<char>(x >> 24);
    return out;
  }();
  const std::vector<std::string_view> pieces = {"<list>", "", large, noise, "</list>"};
  const auto packed = gzip(pieces);
  EXPECT_EQ(packed, gzip(pieces));
  const UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  write_all(fd.get(), packed, "a test's file");
  EXPECT_EQ(decompress(fd.get(), "x.gz", 2'000'000), "<list>" + large + noise + "</list>");
}

TEST(Decompress, AGigabyteEndsAtItsLimitAndIsNeverInMemory) {
  const UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  {
    const HugeText zeros(k_gigabyte / 2);
    const std::vector<std::string_view> pieces = {zeros, zeros};
    write_all(fd.get(), gzip(pieces), "a test's file");
  }
  const PeakMemory memory;
  std::uint64_t read = 0;
  const auto count = [&](std::string_view block) { read += block.size(); };
  decompress(fd.get(), "Packages.gz", k_gigabyte, count);
  EXPECT_EQ(read, k_gigabyte);
  read = 0;
  EXPECT_EQ(code_of([&] { decompress(fd.get(), "Packages.gz", 512u << 20, count); }), ErrorCode::limit_exceeded);
  EXPECT_LE(read, 512u << 20);
  EXPECT_LT(memory.grown(), 8u << 20);
}

}  // namespace
}  // namespace liftlock
