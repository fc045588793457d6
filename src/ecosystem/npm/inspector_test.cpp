#include "ecosystem/npm/inspector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/npm/integrity.hpp"
#include "ecosystem/npm/sample_package_test.hpp"

namespace liftlock::npm {
namespace {

using testing_support::samples;

Artifact artifact_of(std::string name = "@demo/tool", std::string version = "1.2.3") {
  Artifact artifact{.kind = "npm", .name = std::move(name), .version = std::move(version)};
  artifact.files.push_back({RelPath::parse("packages/npm/@demo/tool/tool-1.2.3.tgz"), 0, sha256("any"), {}, {}});
  return artifact;
}

Inspection inspect(const std::string& sample, const Artifact& artifact = artifact_of()) {
  const auto fd = open_file(samples() / (sample + ".tgz"), O_RDONLY);
  const int fds[] = {fd.get()};
  return PackageInspector().inspect(artifact, fds);
}

TEST(PackageInspector, AcceptsASoundTarballAndTellsWhatARegistryWouldTell) {
  const auto inspection = inspect("good");
  ASSERT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  const Json expected = {{"name", "@demo/tool"},
                         {"version", "1.2.3"},
                         {"description", "A sample"},
                         {"license", "MIT"},
                         {"bin", {{"tool", "cli.js"}}},
                         {"dependencies", {{"left-pad", "^1.0.0"}}},
                         {"peerDependencies", {{"react", ">=16"}}},
                         {"peerDependenciesMeta", {{"react", {{"optional", true}}}}},
                         {"engines", {{"node", ">=18"}}},
                         {"hasInstallScript", true}};
  EXPECT_EQ(inspection.facts["manifest"], expected);
  EXPECT_EQ(inspection.facts["install_scripts"], (Json{{"postinstall", "node install.js"}}));
  EXPECT_EQ(inspection.facts["files"], 4);
  // What sha512sum and sha1sum say.
  const auto file = (samples() / "good.tgz").string();
  const auto sums = run_process_checked({.argv = {"sh", "-c", "sha512sum < $0; sha1sum < $0", file}}).output;
  const auto bytes = decode_hex(sums.substr(0, 128));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(inspection.facts["integrity"], "sha512-" + encode_base64(*bytes));
  EXPECT_EQ(inspection.facts["shasum"], sums.substr(132, 40));
}

TEST(PackageInspector, AcceptsWhatOthersPublish) {
  for (const auto* name : {"good_folder", "good_mark", "good_twice_unread"}) {
    const auto inspection = inspect(name);
    EXPECT_TRUE(inspection.findings.empty()) << name << ": " << inspection.findings[0].message;
  }
  const auto native = inspect("good_gyp");
  ASSERT_TRUE(native.findings.empty()) << native.findings[0].message;
  EXPECT_EQ(native.facts["install_scripts"], (Json{{"install", "node-gyp rebuild"}}));
  EXPECT_EQ(native.facts["manifest"]["hasInstallScript"], true);
  EXPECT_EQ(native.facts["manifest"]["_hasShrinkwrap"], true);
}

TEST(PackageInspector, RefusesEachEvilTarball) {
  const std::map<std::string, ErrorCode> expected{
      {"empty", ErrorCode::package_malformed},
      {"no_archive", ErrorCode::package_malformed},
      {"truncated", ErrorCode::package_malformed},
      {"twice_compressed", ErrorCode::package_malformed},
      {"no_package_json", ErrorCode::package_malformed},
      {"deep_package_json", ErrorCode::package_malformed},
      {"other_name", ErrorCode::package_malformed},
      {"other_scope", ErrorCode::package_malformed},
      {"no_scope", ErrorCode::package_malformed},
      {"other_version", ErrorCode::package_malformed},
      {"bad_name", ErrorCode::package_malformed},
      {"bad_version", ErrorCode::package_malformed},
      {"no_json", ErrorCode::json_invalid},
      {"array", ErrorCode::package_malformed},
      {"deep_json", ErrorCode::limit_exceeded},
      {"huge_json", ErrorCode::limit_exceeded},
      {"many_dependencies", ErrorCode::limit_exceeded},
      {"twice_version", ErrorCode::json_duplicate_key},
      {"twice_dependency", ErrorCode::json_duplicate_key},
      {"two_manifests", ErrorCode::path_collision},
      {"duplicate", ErrorCode::path_collision},
      {"case_manifest", ErrorCode::path_collision},
      {"two_folders", ErrorCode::path_unsafe},
      {"top_level", ErrorCode::package_malformed},
      {"traversal", ErrorCode::path_unsafe},
      {"absolute", ErrorCode::path_unsafe},
      {"dot", ErrorCode::path_unsafe},
      {"backslash", ErrorCode::path_unsafe},
      {"control", ErrorCode::path_unsafe},
      {"symlink", ErrorCode::not_regular},
      {"hardlink", ErrorCode::not_regular},
      {"device", ErrorCode::not_regular},
      {"fifo", ErrorCode::not_regular},
      {"bomb", ErrorCode::limit_exceeded},
  };
  std::size_t evil = 0;
  for (const auto& entry : fs::directory_iterator(samples())) {
    const auto name = entry.path().stem().string();
    if (name.starts_with("good")) continue;
    ++evil;
    SCOPED_TRACE(name);
    ASSERT_TRUE(expected.contains(name));
    const auto inspection = inspect(name);
    ASSERT_EQ(inspection.findings.size(), 1u);
    EXPECT_EQ(info(inspection.findings[0].code).slug, info(expected.at(name)).slug) << inspection.findings[0].message;
  }
  EXPECT_EQ(evil, expected.size());
}

TEST(PackageInspector, AnArtifactCannotStateOtherFactsThanItsTarball) {
  auto artifact = artifact_of();
  artifact.facts = inspect("good").facts;
  artifact.facts["deprecated"] = "use something else";  // what the lock says; no tarball holds it
  EXPECT_TRUE(inspect("good", artifact).findings.empty());
  const auto sound = artifact.facts;
  const auto refused = [&] { return inspect("good", artifact).findings.size() == 1; };
  artifact.facts["manifest"]["dependencies"] = {{"evil", "1.0.0"}};
  EXPECT_TRUE(refused());
  artifact.facts = sound;
  artifact.facts["integrity"] = integrity_text(Digest(DigestAlgorithm::sha512, std::vector<std::uint8_t>(64)));
  EXPECT_TRUE(refused());
  artifact.facts = sound;
  artifact.facts.erase("install_scripts");
  EXPECT_TRUE(refused());
  artifact.facts = inspect("good_mark").facts;
  artifact.facts["install_scripts"] = {{"install", "x"}};
  EXPECT_TRUE(refused());
}

TEST(PackageInspector, TheFileStandsWhereItsNameSays) {
  auto artifact = artifact_of();
  artifact.files[0].path = RelPath::parse("packages/npm/tool/tool-1.2.3.tgz");
  EXPECT_EQ(inspect("good", artifact).findings.size(), 1u);
}

TEST(Integrity, TakesTheStrongestAndChecksItsForm) {
  const std::string of_512 = "sha512-" + encode_base64(std::vector<std::uint8_t>(64, 1));
  const std::string of_1 = "sha1-" + encode_base64(std::vector<std::uint8_t>(20, 2));
  EXPECT_EQ(integrity_text(*Integrity::parse(of_1 + " " + of_512 + "?x").digest), of_512);
  EXPECT_TRUE(Integrity::parse(of_1 + " " + of_512).sha1.empty());
  EXPECT_EQ(Integrity::parse(of_1).sha1, "0202020202020202020202020202020202020202");
  for (const auto* bad : {"", "sha512", "sha512-", "sha512-AAAA", "md5-AAAA", "sha1-????", "sha512-=AAA"}) {
    EXPECT_THROW(Integrity::parse(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace liftlock::npm
