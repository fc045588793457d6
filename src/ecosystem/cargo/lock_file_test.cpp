#include "ecosystem/cargo/lock_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace liftlock::cargo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string package(const std::string& name, const std::string& version, const std::string& rest = "") {
  return "[[package]]\nname = \"" + name + "\"\nversion = \"" + version + "\"\n" + rest + "\n";
}
const std::string k_registry = "source = \"registry+https://one.example/index\"\n";
const std::string k_sum = "checksum = \"" + std::string(64, 'a') + "\"\n";

std::string why(const std::string& text) {
  try {
    parse_lock_file(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unresolvable);
    return error.what();
  }
  return "accepted";
}

TEST(LockFile, TellsPackagesAndWhatTheyNeed) {
  const auto lock = parse_lock_file("version = 4\n" + package("app", "0.1.0", "dependencies = [\"b 1.0.0\", \"c\"]") +
                                    package("b", "2.0.0", k_registry + k_sum) +
                                    package("b", "1.0.0", k_registry + k_sum + "dependencies = [\"c\"]") +
                                    package("c", "1.0.0", "source = \"git+https://x.example/c#0123\"\n"));
  ASSERT_EQ(lock.packages.size(), 4u);
  EXPECT_EQ(lock.version, 4u);
  EXPECT_TRUE(lock.packages[0].source.empty());
  EXPECT_THAT(lock.packages[0].dependencies, ElementsAre(1u, 3u));
  EXPECT_EQ(lock.packages[1].shown(), "b 1.0.0");
  EXPECT_TRUE(lock.packages[1].is_of_registry());
  EXPECT_EQ(lock.packages[1].checksum->hex(), std::string(64, 'a'));
  EXPECT_TRUE(lock.packages[3].is_of_git());
  EXPECT_TRUE(parse_lock_file("version = 3\n").packages.empty());
}

TEST(LockFile, TellsTheRepositoriesThatCratesComeFrom) {
  const auto from = [](const std::string& address) { return "source = \"git+" + address + "\"\n"; };
  const auto found = git_sources(parse_lock_file(
      package("b", "1.0.0", from("https://x.example/team/c.git?branch=next%2Fone#0123")) +
      package("a", "2.0.0", from("https://x.example/team/c.git?branch=next%2Fone#0123")) +
      package("d", "1.0.0", from("ssh://git@y.example/d?rev=45#4567")) + package("e", "1.0.0", k_registry + k_sum)));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].url, "https://x.example/team/c.git");
  EXPECT_EQ(found[0].reference, "next/one");
  EXPECT_EQ(found[0].commit, "0123");
  EXPECT_THAT(found[0].crates, ElementsAre("a 2.0.0", "b 1.0.0"));
  EXPECT_EQ(found[1].url, "ssh://git@y.example/d");
  EXPECT_EQ(found[1].reference, "");
  EXPECT_EQ(found[1].commit, "4567");
}

TEST(LockFile, TellsSourcesApartWhereItMust) {
  const std::string other = "source = \"sparse+https://two.example/\"\n";
  const auto both = package("b", "1.0.0", k_registry + k_sum) + package("b", "1.0.0", other + k_sum);
  const auto lock =
      parse_lock_file(both + package("app", "0.1.0", "dependencies = [\"b 1.0.0 (sparse+https://two.example/)\"]"));
  EXPECT_THAT(lock.packages[0].dependencies, ElementsAre(2u));
  EXPECT_THAT(why(both + package("app", "0.1.0", "dependencies = [\"b 1.0.0\"]")), HasSubstr("does not say which"));
}

TEST(LockFile, RefusesWhatItCannotVouchFor) {
  EXPECT_THAT(why("version = 1\n"), HasSubstr("version that is not read"));
  EXPECT_THAT(why("version = 99\n"), HasSubstr("version that is not read"));
  EXPECT_THAT(why("version = \"4\"\n"), HasSubstr("version that is not read"));
  EXPECT_THAT(why("package = 1"), HasSubstr("no list"));
  EXPECT_THAT(why("[package]\nname = \"a\""), HasSubstr("no list"));
  EXPECT_THAT(why("version = ["), HasSubstr("Cargo.lock line 1"));
  EXPECT_THAT(why(package("../a", "1.0.0")), HasSubstr("for a name"));
  EXPECT_THAT(why(package("a", "../1")), HasSubstr("for the version"));
  EXPECT_THAT(why(package("a", "1.0.0", k_registry)), HasSubstr("no checksum"));
  EXPECT_THAT(why(package("a", "1.0.0", k_registry + "checksum = \"abc\"\n")), HasSubstr("no SHA-256"));
  EXPECT_THAT(why(package("a", "1.0.0", k_registry + "checksum = 5\n")), HasSubstr("no text"));
  EXPECT_THAT(why(package("a", "1.0.0", "source = \"ftp://x\"\n")), HasSubstr("neither a registry nor git"));
  EXPECT_THAT(why(package("a", "1.0.0", "source = \"registry+https://x\\u0007\"\n" + k_sum)), HasSubstr("no address"));
  EXPECT_THAT(why(package("a", "1.0.0") + package("a", "1.0.0")), HasSubstr("twice"));
  EXPECT_THAT(why(package("a", "1.0.0", "dependencies = [\"b\"]")), HasSubstr("lacks the package"));
  EXPECT_THAT(why(package("a", "1.0.0", "dependencies = [\"\"]")), HasSubstr("lacks the package"));
  EXPECT_THAT(why(package("a", "1.0.0", "dependencies = [5]")), HasSubstr("no text"));
  EXPECT_THAT(why(package("a", "1.0.0", "dependencies = {}")), HasSubstr("no list"));
}

}  // namespace
}  // namespace liftlock::cargo
