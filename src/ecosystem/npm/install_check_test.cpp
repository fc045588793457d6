// With the npm of this machine, where there is one; tests/interop/npm_test.sh has whole projects.
#include "ecosystem/npm/install_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/npm/integrity.hpp"
#include "ecosystem/npm/sample_package_test.hpp"
#include "os/process.hpp"

namespace liftlock::npm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const NodePlatform k_linux{.os = "linux", .cpu = "x64"};

TEST(OptionalPackages, AreMissedWhereTheLockForgotThoseOfThisMachine) {
  const Json wants = {{"version", "4.0.0"},
                      {"optionalDependencies",
                       {{"@rollup/rollup-linux-x64-gnu", "4.0.0"},
                        {"@rollup/rollup-darwin-arm64", "4.0.0"},
                        {"@rollup/rollup-linux-arm64-gnu", "4.0.0"},
                        {"fsevents", "2"}}}};
  const auto missing = optional_packages_left_out({{"node_modules/rollup", wants}}, k_linux);
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_THAT(missing[0].what, HasSubstr("linux-x64 that rollup wants: @rollup/rollup-linux-x64-gnu;"));
  const Json there = {{"version", "4.0.0"}, {"optional", true}};
  EXPECT_THAT(optional_packages_left_out(
                  {{"node_modules/rollup", wants}, {"node_modules/@rollup/rollup-linux-x64-gnu", there}}, k_linux),
              IsEmpty());
  EXPECT_THAT(optional_packages_left_out({{"node_modules/a/node_modules/rollup", wants},
                                          {"node_modules/a/node_modules/@rollup/rollup-linux-x64-gnu", there}},
                                         k_linux),
              IsEmpty())
      << "beside it";
  EXPECT_THAT(optional_packages_left_out({{"node_modules/a/node_modules/rollup", wants},
                                          {"node_modules/b/node_modules/@rollup/rollup-linux-x64-gnu", there}},
                                         k_linux),
              SizeIs(1))
      << "below another package, where node does not look";
  EXPECT_THAT(optional_packages_left_out("no object", k_linux), IsEmpty());
  EXPECT_THAT(
      optional_packages_left_out({{"node_modules/a", 5}, {"node_modules/b", {{"optionalDependencies", 5}}}}, k_linux),
      IsEmpty());
}

class InstallCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("npm")) GTEST_SKIP() << "no npm here";
    for (const auto* name : {"scratch", "site"}) fs::create_directory(m_root / name);
    const auto bytes = testing_support::sample("good");
    Hasher hasher(DigestAlgorithm::sha512);
    hasher.update(bytes);
    m_integrity = integrity_text(hasher.finish());
    m_artifacts.push_back({.kind = "npm", .name = "@demo/tool", .version = "1.2.3"});
    m_artifacts[0].files.push_back(
        {RelPath::parse(path_in_bundle("@demo/tool", "1.2.3")), bytes.size(), store.put(bytes), "", {}});
    entry.values = {{"lock", "site/package-lock.json"}};
  }
  CheckResult check(const Json& dependencies, const Json& more_packages = Json::object()) {
    Json packages = {{"", {{"name", "site"}, {"version", "1.0.0"}, {"dependencies", dependencies}}},
                     {"node_modules/@demo/tool",
                      {{"version", "1.2.3"},
                       {"resolved", "https://reg.test/@demo/tool/-/tool-1.2.3.tgz"},
                       {"integrity", m_integrity}}}};
    packages.update(more_packages);
    write_file_atomically(m_root / "site/package.json",
                          dump_json({{"name", "site"}, {"version", "1.0.0"}, {"dependencies", dependencies}}));
    write_file_atomically(
        m_root / "site/package-lock.json",
        dump_json({{"name", "site"}, {"version", "1.0.0"}, {"lockfileVersion", 3}, {"packages", packages}}));
    return check_install(entry, m_root / "site", m_artifacts, {k_linux}, context);
  }

  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  std::string m_integrity;
  std::vector<Artifact> m_artifacts;
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store, downloader, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
  StackEntry entry{.table = "npm", .name = "site", .values = Json::object(), .declared = sha256("")};
};

TEST_F(InstallCheckTest, ALockThatIsWholeInstallsFromTheStoresTarballs) {
  const auto result = check({{"@demo/tool", "^1.0.0"}});
  EXPECT_THAT(result.missing, IsEmpty()) << result.missing.at(0).what;
  EXPECT_THAT(result.proven, HasSubstr("1 package installs without a network (npm ci, npm "));
  EXPECT_TRUE(fs::is_empty(m_root / "scratch"));
  EXPECT_FALSE(fs::exists(m_root / "site/node_modules"));
}

TEST_F(InstallCheckTest, APackageThatTheLockLacksIsNamed) {
  const auto result = check({{"@demo/tool", "^1.0.0"}, {"forgotten", "^2"}});
  ASSERT_THAT(result.missing, SizeIs(1));
  EXPECT_THAT(result.missing[0].what, HasSubstr("forgotten"));
  EXPECT_THAT(result.missing[0].what, HasSubstr("npm install --package-lock-only"));
}

TEST_F(InstallCheckTest, ATarballThatTheStackLacksIsNamed) {
  const auto result = check({{"@demo/tool", "^1.0.0"}, {"absent", "1.0.0"}},
                            {{"node_modules/absent",
                              {{"version", "1.0.0"},
                               {"resolved", "https://reg.test/absent/-/absent-1.0.0.tgz"},
                               {"integrity", "sha512-" + encode_base64(std::vector<std::uint8_t>(64))}}}});
  ASSERT_THAT(result.missing, SizeIs(1));
  EXPECT_THAT(result.missing[0].what, HasSubstr("absent"));
}

TEST_F(InstallCheckTest, WorkspacesAreReadAndCredentialsAreNot) {
  fs::create_directories(m_root / "site/parts/one");
  write_file_atomically(
      m_root / "site/parts/one/package.json",
      R"({"name": "one", "version": "1.0.0", "bin": "missing.js", "dependencies": {"@demo/tool": "1"}})");
  // npm refuses to run with the second line.
  write_file_atomically(m_root / "site/.npmrc",
                        "//reg.test/:_authToken=${NO_SUCH_NAME}\n_authToken=x\nlegacy-peer-deps=true\n");
  const Json dependencies = {{"@demo/tool", "^1.0.0"}, {"one", "file:parts/one"}};
  const auto result = check(
      dependencies,
      {{"parts/one", {{"version", "1.0.0"}, {"bin", {{"one", "missing.js"}}}, {"dependencies", {{"@demo/tool", "1"}}}}},
       {"node_modules/one", {{"resolved", "parts/one"}, {"link", true}}}});
  EXPECT_THAT(result.missing, IsEmpty()) << result.missing.at(0).what;
  EXPECT_THAT(result.proven, HasSubstr("installs without a network"));
}

TEST_F(InstallCheckTest, WhatLeadsOutOfTheFolderIsNotTried) {
  const auto outside =
      check({{"@demo/tool", "^1.0.0"}, {"one", "file:../one"}},
            {{"../one", {{"version", "1.0.0"}}}, {"node_modules/one", {{"resolved", "../one"}, {"link", true}}}});
  EXPECT_THAT(outside.proven, IsEmpty());
  EXPECT_THAT(outside.missing, IsEmpty());
  fs::remove(m_root / "site/package.json");
  EXPECT_THAT(check_install(entry, m_root / "site", m_artifacts, {k_linux}, context).proven, IsEmpty());
}

}  // namespace
}  // namespace liftlock::npm
