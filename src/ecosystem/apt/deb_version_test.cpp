#include "ecosystem/apt/deb_version.hpp"

#include <gtest/gtest.h>

#include <random>

#include "os/process.hpp"

namespace liftlock::apt {
namespace {

TEST(DebVersion, OrdersAsTheManualSays) {
  EXPECT_TRUE(compare_versions("1.0~rc1", "1.0") < 0);
  EXPECT_TRUE(compare_versions("1.0", "1.0+b1") < 0);
  EXPECT_TRUE(compare_versions("1:0.1", "9.9") > 0);
  EXPECT_TRUE(compare_versions("0:1.0", "1.0") == 0);
  EXPECT_TRUE(compare_versions("1.0-0", "1.0") == 0);
  EXPECT_TRUE(compare_versions("1.09", "1.9") == 0);
  EXPECT_TRUE(compare_versions("1.0-1-2", "1.0-1") > 0);
  EXPECT_TRUE(compare_versions("99999999999999999999999", "100000000000000000000000") < 0);
}

TEST(DebVersion, KnowsWhatIsAVersion) {
  for (const auto* good : {"1", "1:2-3", "0.1~rc1+dfsg-1~deb12u1", "2:1.0-1-2", "5.2.15-2+b7"}) {
    EXPECT_TRUE(is_version(good)) << good;
  }
  for (const auto* bad : {"", ":1", "a:1", "1-", "-1", "1 2", "1:", "x1", "1_2", "99999999999:1", "1/2"}) {
    EXPECT_FALSE(is_version(bad)) << bad;
  }
}

TEST(DebVersion, AgreesWithDpkgOnRandomVersions) {
  if (!find_program("dpkg")) GTEST_SKIP() << "dpkg is not installed";
  std::mt19937 random(20260101);
  const std::string alphabet = "0011259aAbz.+~-";
  const auto make = [&] {
    std::string out(1, static_cast<char>('0' + random() % 3));
    for (auto length = random() % 7; length > 0; --length) out += alphabet[random() % alphabet.size()];
    if (out.back() == '-') out += '1';
    return random() % 5 == 0 ? std::to_string(random() % 3) + ":" + out : out;
  };
  for (int i = 0; i < 40; ++i) {
    const auto a = make(), b = make();
    for (const auto* relation : {"<<", "<=", "=", ">=", ">>"}) {
      const auto said = run_process({.argv = {"dpkg", "--compare-versions", a, relation, b}}).status == 0;
      EXPECT_EQ(satisfies(a, *parse_version_relation(relation), b), said) << a << ' ' << relation << ' ' << b;
    }
  }
}

}  // namespace
}  // namespace liftlock::apt
