#include "ecosystem/pypi/distribution.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace liftlock {
namespace {

TEST(Distribution, IsOneByAnySpelling) {
  const auto one = Distribution::of_filename("foo_bar-1.0-py2.py3-none-any.whl");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->shown(), "the wheel foo-bar 1.0");
  for (const auto* same :
       {"Foo_Bar-1.0-py2.py3-none-any.whl", "foo.bar-1.0-py2.py3-none-any.whl", "FOO__BAR-1.0-py2.py3-none-any.whl",
        "foo_bar-1.0.0-py2.py3-none-any.whl", "foo_bar-v1.0-py2.py3-none-any.whl", "foo_bar-1.0-py3.py2-none-any.whl"})
    EXPECT_EQ(Distribution::of_filename(same), one) << same;
  for (const auto* other :
       {"foobar-1.0-py2.py3-none-any.whl", "foo_bar-1.0.1-py2.py3-none-any.whl", "foo_bar-1.0+cpu-py2.py3-none-any.whl",
        "foo_bar-1.0-1-py2.py3-none-any.whl", "foo_bar-1.0-py3-none-any.whl",
        "foo_bar-1.0-py2.py3-none-linux_x86_64.whl", "foo_bar-1.0.tar.gz"})
    EXPECT_NE(Distribution::of_filename(other), one) << other;
  EXPECT_EQ(Distribution::of_filename("Foo-Bar-1.0.tar.gz"), Distribution::of_filename("foo_bar-1.0.0.tar.gz"));
  EXPECT_EQ(Distribution::of_filename("foo_bar-1.0.tar.gz")->shown(), "the source distribution of foo-bar 1.0");
  for (const auto* none : {"foo.whl", "foo.tar.gz", "README", "", "-1.0-py3-none-any.whl", "../a-1.0-py3-none-any.whl"})
    EXPECT_FALSE(Distribution::of_filename(none)) << none;
}

TEST(Distribution, TakesNoMoreRoomThanItsName) {
  const auto tags = [](char kind, bool backwards) {
    std::string out;
    for (int i = 0; i < 16; ++i)
      out += fmt::format("{}{}{:x}", i == 0 ? "" : ".", kind, static_cast<unsigned>(backwards ? 15 - i : i));
    return out;
  };
  const auto name = [&](bool backwards) {
    return fmt::format("a-1-{}-{}-{}.whl", tags('p', backwards), tags('q', backwards), tags('r', backwards));
  };
  const auto one = Distribution::of_filename(name(false));
  ASSERT_TRUE(one);
  EXPECT_LE(one->tags.size(), 255u) << "of 4096 combinations";
  EXPECT_EQ(one, Distribution::of_filename(name(true)));
  EXPECT_EQ(Distribution::of_filename("a-1-py3.py3-none-any.whl"), Distribution::of_filename("a-1-py3-none-any.whl"));
  EXPECT_NE(Distribution::of_filename("a-1-py2-py3-any.whl"), Distribution::of_filename("a-1-py3-py2-any.whl"));
}

}  // namespace
}  // namespace liftlock
