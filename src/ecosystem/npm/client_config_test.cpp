#include "ecosystem/npm/client_config.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/error.hpp"

namespace liftlock::npm {
namespace {

TEST(NpmCredentials, StayWithTheirHostAndPath) {
  ::setenv("LIFTLOCK_TEST_TOKEN", "s3cret", 1);
  Credentials credentials;
  credentials.add_npmrc(
      "; a comment\nregistry=https://reg.test/npm/\n//reg.test/npm/:_authToken=${LIFTLOCK_TEST_TOKEN}\n"
      "//reg.test:8443/:_auth = "
      "dTpw\n//b.test/a/:username=u\n//b.test/a/:_password=\"cA==\"\n//c.test/:_authToken=${NO_SUCH}\n"
      "//broken\n//x:_authToken\n");
  credentials.add_npmrc("//reg.test/npm/:_authToken=later\n");
  const auto value = [&](const std::string& url) {
    const auto headers = credentials.headers_for(url);
    return headers.empty() ? std::string() : headers[0].value;
  };
  EXPECT_EQ(value("https://reg.test/npm/a/-/a-1.0.0.tgz"), "Bearer s3cret");
  EXPECT_EQ(value("https://REG.test/npm/a?x=/../"), "Bearer s3cret");
  EXPECT_EQ(value("https://reg.test:8443/deep/er/a.tgz"), "Basic dTpw");
  EXPECT_EQ(value("https://b.test/a/b"), "Basic dTpw");
  for (const auto* other : {"https://reg.test/other/a", "https://reg.test.evil/npm/a", "https://evil/reg.test/npm/a",
                            "https://reg.test:444/npm/a", "https://b.test/ab/c", "file:///reg.test/npm/a"}) {
    EXPECT_EQ(value(other), "") << other;
  }
}

TEST(TarballUrl, IsWhereNpmWouldLook) {
  ClientConfig config;
  EXPECT_EQ(config.tarball_url("a", "1.0.0", "https://pub.test/a/-/a-1.0.0.tgz"), "https://pub.test/a/-/a-1.0.0.tgz");
  EXPECT_THROW(config.tarball_url("a", "1.0.0", ""), Error);
  config.registry = "https://own.test/npm/";
  config.default_registry = "https://pub.test/";
  config.scopes = {{"@my", "https://my.test/"}};
  EXPECT_EQ(config.tarball_url("a", "1.0.0", ""), "https://own.test/npm/a/-/a-1.0.0.tgz");
  EXPECT_EQ(config.tarball_url("@my/a", "1.0.0", ""), "https://my.test/@my/a/-/a-1.0.0.tgz");
  EXPECT_EQ(config.tarball_url("a", "1.0.0", "https://pub.test/a/-/a-1.0.0.tgz"),
            "https://own.test/npm/a/-/a-1.0.0.tgz");
  EXPECT_EQ(config.tarball_url("a", "1.0.0", "https://third.test/a-1.0.0.tgz"), "https://third.test/a-1.0.0.tgz");
  EXPECT_TRUE(config.needs_default_registry("https://pub.test/a/-/a-1.0.0.tgz"));
  EXPECT_FALSE(config.needs_default_registry("https://own.test/npm/a/-/a-1.0.0.tgz")) << "it is the same either way";
  EXPECT_FALSE(config.needs_default_registry(""));
  config.replace_registry_host = "always";
  EXPECT_FALSE(config.needs_default_registry("https://pub.test/a/-/a-1.0.0.tgz"));
  EXPECT_EQ(config.tarball_url("a", "1.0.0", "http://third.test:81/a-1.0.0.tgz"), "https://own.test/npm/a-1.0.0.tgz");
  config.replace_registry_host = "never";
  EXPECT_EQ(config.tarball_url("a", "1.0.0", "https://pub.test/a.tgz"), "https://pub.test/a.tgz");
  config.replace_registry_host = "third.test";
  EXPECT_EQ(config.tarball_url("a", "1.0.0", "https://third.test/npm/a.tgz"), "https://own.test/npm/a.tgz");
  EXPECT_EQ(at_registry("https://pub.test", "file:///srv/npm/"), "file:///srv/npm/");
}

}  // namespace
}  // namespace liftlock::npm
