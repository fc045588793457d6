#include "bundle/inspect_all.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "artifact/artifact.hpp"
#include "base/code_of.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using testing::Each;
using testing::ElementsAre;

Artifact image(const std::string& name, const std::vector<std::string>& layers) {
  Artifact out{.kind = "image", .name = name, .version = "1", .license = {}, .facts = Json::object()};
  for (const auto& layer : layers) {
    out.files.push_back({.path = RelPath::parse("images/" + layer),
                         .size = layer.size(),
                         .digest = sha256(layer),
                         .origin = {},
                         .evidence = {}});
  }
  return out;
}

class InspectAllTest : public testing::Test {
 protected:
  InspectAllTest() {
    m_inspect.version = "one";
    m_inspect.alone = [](const Artifact& artifact) {
      std::vector<std::size_t> all(artifact.files.size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
      return all;
    };
    m_inspect.file = [this](std::string_view, int) -> Inspection {
      if (++m_files == m_bad_file) return {.findings = {{ErrorCode::image_malformed, "", "a bad layer"}}};
      return {.findings = {}, .facts = {{"entries", 7}}};
    };
    m_inspect.artifact = [this](const Artifact& artifact, const OpenChecked&, const FileInspections& files) {
      ++m_artifacts;
      Inspection out;
      std::uint64_t entries = 0;
      for (const auto& file : artifact.files) {
        const auto& known = files.at(file.digest);
        for (const auto& finding : known.findings) {
          if (artifact.name != "careless") out.findings.push_back(finding);
        }
        if (known.findings.empty()) entries += known.facts.at("entries").get<std::uint64_t>();
      }
      out.facts = {{"entries", entries}};
      return out;
    };
  }

  std::vector<std::string> run(const std::vector<Artifact>& artifacts) {
    return inspect_all(
        artifacts, m_inspect, [](const Digest&) { return UniqueFd(); }, m_catalog, silent_reporter());
  }

  TemporaryFolder m_temporary;
  Catalog m_catalog{m_temporary.path() / "catalog.db"};
  Inspect m_inspect;
  std::atomic<int> m_files{0}, m_artifacts{0};
  int m_bad_file = 0;
};

TEST_F(InspectAllTest, AFileThatArtifactsShareIsInspectedOnce) {
  EXPECT_THAT(run({image("a", {"base", "x"}), image("b", {"base", "y"}), image("c", {"base"})}),
              ElementsAre(R"({"entries":14})", R"({"entries":14})", R"({"entries":7})"));
  EXPECT_EQ(m_files, 3);
  EXPECT_EQ(m_artifacts, 3);
}

TEST_F(InspectAllTest, WhatPassedIsNotInspectedAgain) {
  run({image("a", {"base", "x"})});
  EXPECT_THAT(run({image("a", {"base", "x"}), image("b", {"base", "y"})}),
              ElementsAre(R"({"entries":14})", R"({"entries":14})"));
  EXPECT_EQ(m_files, 3) << "only y is new";
  EXPECT_EQ(m_artifacts, 2) << "only b is new";
}

TEST_F(InspectAllTest, FactsThatTheCatalogDoesNotKeepAreNotHeld) {
  m_inspect.artifact = [](const Artifact& artifact, const OpenChecked&, const FileInspections&) {
    return Inspection{.findings = {}, .facts = {{"text", std::string(artifact.name == "long" ? 1u << 20 : 10, 'x')}}};
  };
  EXPECT_THAT(run({image("long", {"base"}), image("short", {"base"})}), ElementsAre("", R"({"text":"xxxxxxxxxx"})"));
}

TEST_F(InspectAllTest, OtherInspectorsLookAgain) {
  run({image("a", {"base"})});
  m_inspect.version = "two";
  run({image("a", {"base"})});
  EXPECT_EQ(m_files, 2);
  EXPECT_EQ(m_artifacts, 2);
  m_inspect.version.clear();
  for (int i = 0; i < 2; ++i) run({image("a", {"base"})});
  EXPECT_EQ(m_artifacts, 4) << "who has no version is never trusted again";
}

TEST_F(InspectAllTest, WhatDidNotPassIsNotRemembered) {
  m_bad_file = 1;
  EXPECT_EQ(code_of([&] { run({image("a", {"base"})}); }), ErrorCode::image_malformed);
  m_bad_file = 2;
  EXPECT_EQ(code_of([&] { run({image("a", {"base"})}); }), ErrorCode::image_malformed);
  m_bad_file = 0;
  EXPECT_THAT(run({image("a", {"base"})}), Each(R"({"entries":7})"));
}

TEST_F(InspectAllTest, AFindingOfAFileCountsOnlyWhereTheArtifactSaysSo) {
  m_bad_file = 1;
  EXPECT_THAT(run({image("careless", {"not a layer"})}), Each(R"({"entries":0})"));
}

TEST_F(InspectAllTest, AnotherKindLooksForItself) {
  auto model = image("a", {"base"});
  model.kind = "model";
  run({image("a", {"base"}), model});
  EXPECT_EQ(m_files, 2);
}

TEST_F(InspectAllTest, WhatIsForgottenIsInspectedAgain) {
  run({image("a", {"base"})});
  m_catalog.forget_passed();
  run({image("a", {"base"})});
  EXPECT_EQ(m_artifacts, 2);
}

}  // namespace
}  // namespace liftlock
