#include "fetch/url.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "fetch/retry.hpp"

namespace liftlock {
namespace {

TEST(Url, IsShownWithoutSecrets) {
  EXPECT_EQ(shown_url("https://user:pass@example.test:8443/a/b?X-Signature=abc#frag"), "https://example.test:8443/a/b");
  EXPECT_EQ(shown_url("http://[broken"), "(bad URL)");
}

TEST(Url, OriginsDifferInSchemeHostOrPort) {
  const auto base = parse_url("https://example.test/a");
  EXPECT_TRUE(base.same_origin(parse_url("https://EXAMPLE.test:443/b")));
  EXPECT_FALSE(base.same_origin(parse_url("https://example.test:444/b")));
  EXPECT_FALSE(base.same_origin(parse_url("http://example.test/b")));
  EXPECT_FALSE(base.same_origin(parse_url("https://sub.example.test/b")));
}

TEST(Url, RedirectsNeverLeaveHttpsAndKeepCredentialsOnlyAtHome) {
  EXPECT_THROW(redirect_target("https://a.test/x", "http://a.test/x"), Error);
  EXPECT_THROW(redirect_target("http://a.test/x", "file:///etc/passwd"), Error);
  EXPECT_THROW(redirect_target("http://a.test/x", "ldap://a.test/"), Error);
  EXPECT_EQ(redirect_target("http://a.test/x", "https://a.test/x"), "https://a.test/x");
  EXPECT_EQ(redirect_target("https://u:p@a.test/x", "https://a.test/y"), "https://u:p@a.test/y");
  EXPECT_EQ(redirect_target("https://u:p@a.test/x", "https://b.test/y"), "https://b.test/y");
}

TEST(Retry, OnlyPassingTroubleIsTriedAgain) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) EXPECT_TRUE(is_transient_status(status)) << status;
  for (const int status : {400, 401, 403, 404, 410, 416, 501, 505}) EXPECT_FALSE(is_transient_status(status)) << status;
}

TEST(Retry, WaitsStayUnderTheirCap) {
  using std::chrono::milliseconds;
  for (unsigned attempt = 0; attempt < 60; ++attempt) {
    EXPECT_LE(backoff(attempt, milliseconds(500), milliseconds(30'000)), milliseconds(30'000));
  }
  EXPECT_LE(backoff(0, milliseconds(500), milliseconds(30'000)), milliseconds(500));
}

}  // namespace
}  // namespace liftlock
