#include "ecosystem/npm/cache_layout.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock::npm {
namespace {

Artifact package_of(const std::string& name, const std::string& integrity) {
  Artifact out{.kind = "npm", .name = name, .version = "1.0.0"};
  out.facts = Json::object();
  if (!integrity.empty()) out.facts["integrity"] = integrity;
  out.files.push_back({RelPath::parse("packages/npm/" + name + "/x-1.0.0.tgz"), 5, sha256(name), {}, {}});
  return out;
}

// `printf hello | sha512sum`, and `openssl dgst -sha512 -binary | base64` of the same.
constexpr const char* k_hello =
    "sha512-m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==";
constexpr const char* k_hello_path =
    "_cacache/content-v2/sha512/9b/71/"
    "d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f"
    "73"
    "bcdec043";

TEST(CacheLayoutTest, LiesWhereNpmLooksForTheDigestOfALock) {
  const std::vector<Artifact> packages = {package_of("@a/x", k_hello)};
  const auto layout = cache_layout(packages);
  ASSERT_EQ(layout.files.size(), 1u);
  EXPECT_EQ(layout.files.begin()->first, k_hello_path);
  EXPECT_EQ(layout.files.begin()->second.digest, sha256("@a/x"));
  EXPECT_TRUE(layout.documents.empty());
}

TEST(CacheLayoutTest, TheSameTarballUnderTwoNamesLiesThereOnce) {
  const std::vector<Artifact> packages = {package_of("@a/x", k_hello), package_of("@b/x", k_hello)};
  EXPECT_EQ(cache_layout(packages).files.size(), 1u);
}

TEST(CacheLayoutTest, APackageWithoutADigestIsNamed) {
  for (const auto* integrity : {"", "sha1-qvTGHdzF6KLavt4PO0gs2a6pQ00=", "nonsense"}) {
    const std::vector<Artifact> packages = {package_of("odd", integrity)};
    try {
      cache_layout(packages);
      ADD_FAILURE() << integrity;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::schema_violation) << integrity;
      EXPECT_NE(std::string(error.what()).find("npm:odd@1.0.0"), std::string::npos) << integrity;
    }
  }
}

}  // namespace
}  // namespace liftlock::npm
