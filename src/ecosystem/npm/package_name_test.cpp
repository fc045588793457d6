#include "ecosystem/npm/package_name.hpp"

#include <gtest/gtest.h>

namespace liftlock::npm {
namespace {

TEST(PackageName, IsWhatRegistriesTake) {
  for (const auto* name : {"left-pad", "@scope/name", "JSONStream", "a", "lodash.merge", "@a.b/c_d", "~x"}) {
    EXPECT_TRUE(is_package_name(name)) << name;
  }
  for (const auto* name : {"", ".", "..", ".hidden", "@scope", "@/name", "@scope/", "scope/name", "@a/b/c", "a b",
                           "a\\b", "a%2fb", "@../x", "@a/..", "a\n", "caf\xC3\xA9"}) {
    EXPECT_FALSE(is_package_name(name)) << name;
  }
  EXPECT_FALSE(is_package_name(std::string(215, 'a')));
  EXPECT_EQ(tarball_name("@scope/name", "1.0.0-rc.1"), "name-1.0.0-rc.1.tgz");
}

TEST(PackageVersion, IsExact) {
  EXPECT_EQ(Version::parse("1.2.3+build.5")->text(), "1.2.3");
  EXPECT_EQ(Version::parse("1.2.3-rc.1+x")->text(), "1.2.3-rc.1");
  for (const auto* text : {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "^1.2.3", "1.2.x",
                           "v1.2.3", "1.2.3+", "1.2.3/..", "latest"}) {
    EXPECT_FALSE(Version::parse(text)) << text;
  }
}

TEST(PackageVersion, IsOrderedByPrecedence) {
  // The row of semver.org §11, and numbers of any length.
  const char* row[] = {"1.0.0-alpha",
                       "1.0.0-alpha.1",
                       "1.0.0-alpha.beta",
                       "1.0.0-beta",
                       "1.0.0-beta.2",
                       "1.0.0-beta.11",
                       "1.0.0-rc.1",
                       "1.0.0",
                       "1.0.1",
                       "1.9.0",
                       "1.10.0",
                       "2.0.0",
                       "9999999999999999999999.0.0"};
  for (std::size_t i = 0; i + 1 < std::size(row); ++i) {
    EXPECT_LT(*Version::parse(row[i]), *Version::parse(row[i + 1])) << row[i];
  }
  EXPECT_EQ(*Version::parse("1.0.0+a"), *Version::parse("1.0.0+b"));
}

}  // namespace
}  // namespace liftlock::npm
