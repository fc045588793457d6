#include "ecosystem/oci/www_authenticate.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/oci/credentials.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

TEST(WwwAuthenticate, ReadsTheFormsThatRegistriesSend) {
  const auto bearer = parse_www_authenticate(R"(Bearer realm="https://auth.example/token",service="a, \"b\"",scope=x)");
  ASSERT_EQ(bearer.size(), 1u);
  EXPECT_EQ(bearer[0].scheme, "bearer");
  EXPECT_EQ(bearer[0].param("service"), "a, \"b\"");
  EXPECT_EQ(bearer[0].param("scope"), "x");
  EXPECT_EQ(bearer[0].param("absent"), "");
  const auto several =
      parse_www_authenticate(R"(Negotiate, NTLM abc==, Basic realm="x" , Bearer realm="y", service=z)");
  ASSERT_EQ(several.size(), 4u);
  EXPECT_EQ(several[2].scheme, "basic");
  EXPECT_EQ(several[3].param("service"), "z");
}

TEST(WwwAuthenticate, EndsAtWhatIsMalformed) {
  EXPECT_TRUE(parse_www_authenticate("").empty());
  EXPECT_TRUE(parse_www_authenticate(" , ,").empty());
  EXPECT_TRUE(parse_www_authenticate("\"x\"").empty());
  EXPECT_EQ(parse_www_authenticate("Bearer realm=\"unclosed").size(), 1u);
  EXPECT_EQ(parse_www_authenticate("Bearer realm=\"a\nb\"").at(0).param("realm"), "");
}

class CredentialsTest : public testing::Test {
 protected:
  std::vector<fs::path> file(const std::string& text) {
    write_file_atomically(m_folder.path() / "auth.json", text);
    return {m_folder.path() / "absent.json", m_folder.path() / "auth.json"};
  }
  TemporaryFolder m_folder;
};

TEST_F(CredentialsTest, TakesTheMostSpecificKey) {
  const auto login = [](std::string_view text) { return R"({"auth":")" + encode_base64(as_bytes(text)) + R"("})"; };
  const auto files = file(R"({"auths":{"h.example":)" + login("a:1") + R"(,"h.example/team":)" + login("b:2:3") +
                          R"(,"https://old.example/v1/":)" + login("c:4") + "}}");
  EXPECT_EQ(find_login(files, "h.example", "other/app")->user, "a");
  EXPECT_EQ(find_login(files, "h.example", "team/app")->password, "2:3");
  EXPECT_EQ(find_login(files, "old.example", "x")->user, "c");
  EXPECT_FALSE(find_login(files, "else.example", "x"));
}

TEST_F(CredentialsTest, AsksCredentialHelpers) {
  const auto helper = m_folder.path() / "docker-credential-test";
  write_file_atomically(
      helper,
      "#!/bin/sh\nread host\n[ \"$1\" = get ] || exit 2\n[ \"$host\" = h.example ] || { echo none; exit 1; }\n"
      "echo '{\"ServerURL\":\"h.example\",\"Username\":\"me\",\"Secret\":\"s\"}'\n",
      0755);
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", (m_folder.path().string() + ":" + before).c_str(), 1);
  const auto files = file(R"({"auths":{"h.example":{}},"credHelpers":{"h.example":"test","x.example":"test"}})");
  EXPECT_EQ(find_login(files, "h.example", "a")->password, "s");
  EXPECT_FALSE(find_login(files, "x.example", "a"));
  EXPECT_EQ(find_login(file(R"({"credsStore":"test"})"), "h.example", "a")->user, "me");
  EXPECT_THROW(find_login(file(R"({"credsStore":"../evil"})"), "h.example", "a"), Error);
  ::setenv("PATH", before.c_str(), 1);
}

TEST_F(CredentialsTest, SaysWhatIsWrongWithAFileWithoutShowingSecrets) {
  for (const std::string text : {R"({"auths":{"h.example":{"auth":"!!"}}})", "{", R"({"auths":[]})",
                                 R"({"auths":{"h.example":{"identitytoken":"TOPSECRET"}}})"}) {
    try {
      find_login(file(text), "h.example", "a");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config_invalid);
      EXPECT_EQ(std::string(error.what()).find("TOPSECRET"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace liftlock::oci
