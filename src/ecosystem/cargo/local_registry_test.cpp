#include "ecosystem/cargo/local_registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/manifest.hpp"
#include "ecosystem/cargo/sample_crates_test.hpp"

namespace liftlock::cargo {
namespace {

using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

constexpr const char* k_usual = "registry+https://git.example/rust-lang/crates-io-index";

Artifact crate_of(const std::string& name, const std::string& version, const std::string& registry,
                  const std::string& bytes) {
  Artifact out{.kind = "crate", .name = name, .version = version};
  out.facts["registry"] = registry;
  out.files.push_back(
      {RelPath::parse("packages/cargo/" + name + "-" + version + ".crate"), bytes.size(), sha256(bytes), {}, {}});
  return out;
}

/// What an inspection learns of a crate whose Cargo.toml ends like this.
InspectedCrate says(const std::string& rest) {
  return [rest](const Artifact& crate) {
    auto facts = Json::object();
    facts[k_fact_index] = index_facts(parse_manifest(sample::manifest(crate.name, crate.version, rest)));
    return facts;
  };
}

TEST(LocalRegistryTest, LiesAsCargoReadsItFromAFolder) {
  const std::vector<Artifact> crates = {crate_of("Demo", "1.0.0", k_usual, "one"),
                                        crate_of("Demo", "1.1.0", k_usual, "two"),
                                        crate_of("x", "0.1.0", k_usual, "x")};
  const auto layout = local_registry(crates, says("[dependencies]\nabc = \"1\"\n"));
  EXPECT_THAT(layout.files,
              UnorderedElementsAre(Key("Demo-1.0.0.crate"), Key("Demo-1.1.0.crate"), Key("x-0.1.0.crate")));
  EXPECT_THAT(layout.documents,
              UnorderedElementsAre(Key("index/de/mo/demo"), Key("index/1/x"), Key(".cargo/config.toml")));
  const auto& page = layout.documents.at("index/de/mo/demo");
  const auto lines = split(page, '\n');
  ASSERT_EQ(lines.size(), 3u) << page;
  const auto last = Json::parse(lines[1]);
  EXPECT_EQ(last["vers"], "1.1.0");
  EXPECT_EQ(last["cksum"], sha256("two").hex());
  EXPECT_EQ(last["deps"][0]["name"], "abc");
  EXPECT_EQ(layout.documents.at(".cargo/config.toml"),
            "[source.crates-io]\nreplace-with = \"liftlock\"\n\n[source.liftlock]\nlocal-registry = \".\"\n");
}

TEST(LocalRegistryTest, OtherRegistriesAreReplacedToo) {
  const std::vector<Artifact> crates = {crate_of("x", "0.1.0", "registry+https://other.example/index", "x"),
                                        crate_of("y", "0.1.0", "sparse+https://third.example/\"quoted\"/", "y")};
  const auto config = local_registry(crates, says("")).documents.at(".cargo/config.toml");
  EXPECT_THAT(config, HasSubstr("[source.other-1]\nregistry = \"https://other.example/index\"\nreplace-with"));
  EXPECT_THAT(config, HasSubstr("registry = \"sparse+https://third.example/\\\"quoted\\\"/\"\n"));
}

TEST(LocalRegistryTest, OfTwoContentsTheLaterCounts) {
  const std::vector<Artifact> crates = {crate_of("x", "0.1.0", k_usual, "old"), crate_of("x", "0.1.0", k_usual, "new")};
  const auto layout = local_registry(crates, says(""));
  EXPECT_EQ(layout.files.at("x-0.1.0.crate").digest, sha256("new"));
  const auto& page = layout.documents.at("index/1/x");
  EXPECT_EQ(split(page, '\n').size(), 2u) << page;
  EXPECT_THAT(page, HasSubstr(sha256("new").hex()));
}

TEST(LocalRegistryTest, ACrateOfWhichNothingIsKnownIsNamed) {
  const std::vector<Artifact> crates = {crate_of("x", "0.1.0", k_usual, "x")};
  try {
    local_registry(crates, [](const Artifact&) { return Json::object(); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::schema_violation);
    EXPECT_THAT(error.what(), HasSubstr("crate:x@0.1.0"));
  }
}

}  // namespace
}  // namespace liftlock::cargo
