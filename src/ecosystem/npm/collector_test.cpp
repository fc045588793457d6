// The collector with a folder as registry; tests/interop/npm_test.sh has the real clients and servers.
#include "ecosystem/npm/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/npm/integrity.hpp"
#include "ecosystem/npm/sample_package_test.hpp"

namespace liftlock::npm {
namespace {

using testing::HasSubstr;

class PackageCollectorTest : public testing::Test {
 protected:
  PackageCollectorTest() {
    // What the user of this machine configured must not decide what these tests see.
    ::setenv("npm_config_userconfig", "/dev/null", 1);
    ::setenv("npm_config_globalconfig", "/nonexistent/npmrc", 1);
    fs::create_directories(m_folder.path() / "registry/@demo/tool/-");
    fs::create_directory(m_folder.path() / "scratch");
    put("good");
    context.inspect = [this](const Artifact& artifact) {
      const auto fd = store.open(artifact.files.at(0).digest);
      const int fds[] = {fd.get()};
      return PackageInspector().inspect(artifact, fds);
    };
  }

  fs::path tarball() const { return m_folder.path() / "registry/@demo/tool/-/tool-1.2.3.tgz"; }
  void put(const std::string& name) {
    write_file_atomically(tarball(), testing_support::sample(name));
    Hasher hasher(DigestAlgorithm::sha512);
    hasher.update(testing_support::sample(name));
    integrity = integrity_text(hasher.finish());
  }
  Json entry_of(const std::string& resolved = "https://reg.test/@demo/tool/-/tool-1.2.3.tgz") const {
    return {{"version", "1.2.3"}, {"resolved", resolved}, {"integrity", integrity}};
  }
  Collected resolve(const Json& packages, Json values = Json::object()) {
    write_file_atomically(m_folder.path() / "package-lock.json",
                          dump_json({{"lockfileVersion", 3}, {"packages", packages}}));
    values["lock"] = "package-lock.json";
    values["registry"] = "file://" + (m_folder.path() / "registry").string();
    entry = {.table = "npm", .name = "site", .values = std::move(values), .declared = sha256("")};
    return PackageCollector().resolve(entry, context);
  }
  template <typename F>
  static ErrorCode code_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  }

  TemporaryFolder m_folder;
  std::string integrity;
  BlobStore store{m_folder.path() / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store,        downloader, silent_reporter(), m_folder.path(), m_folder.path() / "scratch",
                         "linux/amd64"};
  StackEntry entry{.table = "npm", .name = "site", .values = Json::object(), .declared = sha256("")};
};

TEST_F(PackageCollectorTest, TakesTheTarballsOfALockWithTheDigestsThatItStates) {
  const auto collected = resolve({{"node_modules/@demo/tool", entry_of()}});
  ASSERT_EQ(collected.artifacts.size(), 1u);
  const auto& artifact = collected.artifacts[0];
  EXPECT_EQ(artifact.id(), "npm:@demo/tool@1.2.3");
  EXPECT_EQ(artifact.license, "MIT");
  EXPECT_EQ(artifact.facts["integrity"], integrity);
  EXPECT_EQ(artifact.files[0].path.text(), "packages/npm/@demo/tool/tool-1.2.3.tgz");
  EXPECT_EQ(artifact.files[0].evidence[0].type, "lock-hash");
  EXPECT_EQ(artifact.files[0].evidence[0].details["integrity"], integrity);
  EXPECT_TRUE(store.contains(artifact.files[0].digest));
  EXPECT_THAT(collected.notes, testing::ElementsAre(HasSubstr("postinstall: node install.js")));
  EXPECT_TRUE(PackageCollector().plan(artifact, entry, context).empty());
}

TEST_F(PackageCollectorTest, WhatWasLockedBeforeIsNotAskedForAgain) {
  const auto before = resolve({{"node_modules/@demo/tool", entry_of()}});
  context.before = before.artifacts;
  fs::remove(tarball());
  EXPECT_EQ(resolve({{"node_modules/@demo/tool", entry_of()}}).artifacts, before.artifacts);
  auto other = entry_of();
  other["integrity"] = "sha512-" + encode_base64(std::vector<std::uint8_t>(64));
  EXPECT_EQ(code_of([&] { resolve({{"node_modules/@demo/tool", other}}); }), ErrorCode::not_found);
}

TEST_F(PackageCollectorTest, RefusesOtherBytesThanTheLockStates) {
  put("good_mark");
  auto stated = entry_of();
  put("good");
  EXPECT_EQ(code_of([&] { resolve({{"node_modules/@demo/tool", stated}}); }), ErrorCode::digest_mismatch);
  stated["integrity"] = "sha1-" + encode_base64(std::vector<std::uint8_t>(20));
  EXPECT_EQ(code_of([&] { resolve({{"node_modules/@demo/tool", stated}}); }), ErrorCode::digest_mismatch);
  // An honest lock of a lying package.
  put("other_name");
  EXPECT_EQ(code_of([&] { resolve({{"node_modules/@demo/tool", entry_of()}}); }), ErrorCode::package_malformed);
}

TEST_F(PackageCollectorTest, OfSeveralThatAreRefusedTheFirstOfTheLockIsNamed) {
  Json packages = Json::object();
  for (const auto* name : {"a", "b", "c", "d"}) {
    const auto folder = m_folder.path() / "registry" / name / "-";
    fs::create_directories(folder);
    write_file_atomically(folder / fmt::format("{}-1.0.0.tgz", name), testing_support::sample("good"));
    packages[fmt::format("node_modules/{}", name)] = {{"version", "1.0.0"}, {"integrity", integrity}};
  }
  packages["node_modules/@demo/tool"] = entry_of();
  try {
    resolve(packages);
    FAIL() << "none of them is what it says";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::package_malformed);
    EXPECT_THAT(error.what(), HasSubstr("npm:a@1.0.0"));
  }
}

TEST_F(PackageCollectorTest, SaysWhatIsBelievedOnFirstUse) {
  auto weak = entry_of();
  weak.erase("integrity");
  const auto collected = resolve({{"node_modules/@demo/tool", weak}});
  EXPECT_EQ(collected.artifacts[0].files[0].evidence[0].type, "first-use");
  EXPECT_THAT(collected.notes[0], HasSubstr("first use"));
}

TEST_F(PackageCollectorTest, ChoosesByPlatformAndKind) {
  auto foreign = Json{{"version", "1.0.0"}, {"optional", true}, {"os", {"darwin"}}};
  auto dev = Json{{"version", "1.0.0"}, {"dev", true}};
  const Json packages = {
      {"node_modules/@demo/tool", entry_of()}, {"node_modules/mac", foreign}, {"node_modules/dev", dev}};
  const Json no_dev = {{"omit", {"dev"}}};
  EXPECT_EQ(resolve(packages, no_dev).artifacts.size(), 1u);
  EXPECT_EQ(code_of([&] { resolve(packages); }), ErrorCode::not_found) << "dev is wanted, and the registry lacks it";
  EXPECT_EQ(code_of([&] { resolve(packages, {{"omit", {"dev"}}, {"platforms", {"all"}}}); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { resolve(packages, {{"omit", {"bundled"}}}); }), ErrorCode::stack_invalid);
}

}  // namespace
}  // namespace liftlock::npm
