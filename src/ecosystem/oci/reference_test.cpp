#include "ecosystem/oci/reference.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace liftlock::oci {
namespace {

const std::string k_digest = "sha256:" + std::string(64, 'a');

TEST(Reference, SplitsHostNameTagAndDigest) {
  const auto full = parse_reference("registry.example:5000/team/app:1.2@" + k_digest);
  EXPECT_EQ(full.host, "registry.example:5000");
  EXPECT_EQ(full.repository, "team/app");
  EXPECT_EQ(full.tag, "1.2");
  EXPECT_EQ(full.digest->text(), k_digest);
  EXPECT_EQ(full.version(), "1.2");
  EXPECT_EQ(parse_reference("team/app").host, "");
  EXPECT_EQ(parse_reference("localhost/app").host, "localhost");
  EXPECT_EQ(parse_reference("[::1]:5000/app:x").host, "[::1]:5000");
  EXPECT_EQ(parse_reference("app@" + k_digest).version(), k_digest);
}

TEST(Reference, RoundTrips) {
  for (const std::string text : {"a", "a/b", "a__b/c-d", "host.example/a:T_1", "127.0.0.1:5000/x/y/z:1"}) {
    EXPECT_EQ(parse_reference(text).text(), text);
  }
}

TEST(Reference, RefusesWhatNoClientAccepts) {
  for (const std::string text :
       {"",        "/",     "A/b",          "a//b",     "a/",     "a:", "a:-x", "a@sha256:12", "a@sha512:00",
        "a..b",    "a___b", "host:99999/a", "host:x/a", "a/../b", "-a", "a b",  "a:b:c",       "[::1/a",
        ".host/a", "a\n"}) {
    EXPECT_THROW(parse_reference(text), Error) << text;
  }
  EXPECT_THROW(parse_reference(std::string(256, 'a')), Error);
  EXPECT_THROW(parse_reference("a:" + std::string(129, 'a')), Error);
}

TEST(Source, KnowsTheThreeTransports) {
  EXPECT_EQ(parse_source("docker://h.example/a:1").reference.repository, "a");
  const auto archive = parse_source("docker-archive:dir/x.tar:team/app:1");
  EXPECT_EQ(archive.kind, Source::Kind::docker_archive);
  EXPECT_EQ(archive.path, "dir/x.tar");
  EXPECT_EQ(archive.inner, "team/app:1");
  EXPECT_EQ(parse_source("oci:folder").path, "folder");
  for (const std::string text :
       {"docker://short/name:1", "docker-archive:", "oci::x", "h.example/a:1", "docker://h.example/A"}) {
    EXPECT_THROW(parse_source(text), Error) << text;
  }
}

TEST(Platform, MatchesVariantsAsClientsDo) {
  EXPECT_TRUE(parse_platform("linux/arm64/v8").accepts({"linux", "arm64", ""}));
  EXPECT_TRUE(parse_platform("linux/arm").accepts({"linux", "arm", "v7"}));
  EXPECT_FALSE(parse_platform("linux/arm/v6").accepts({"linux", "arm", "v7"}));
  EXPECT_FALSE(parse_platform("linux/amd64").accepts({"windows", "amd64", ""}));
  for (const std::string text : {"linux", "linux/", "a/b/c/d", "linux/am d64"})
    EXPECT_THROW(parse_platform(text), Error) << text;
}

TEST(Tags, MovingOnesAreKnown) {
  EXPECT_TRUE(is_moving_tag("latest"));
  EXPECT_TRUE(is_moving_tag("Nightly"));
  EXPECT_FALSE(is_moving_tag("v1.9.4"));
}

}  // namespace
}  // namespace liftlock::oci
