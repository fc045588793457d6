#include "archive/decompress.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <vector>

#include "os/file.hpp"

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

}  // namespace
}  // namespace liftlock
