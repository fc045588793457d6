#include "ecosystem/helm/chart_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/helm/inspector.hpp"

namespace liftlock::helm {
namespace {

using testing::Key;
using testing::UnorderedElementsAre;

Artifact chart_of(const std::string& name, const std::string& version, const std::string& bytes) {
  Artifact out{.kind = "chart", .name = name, .version = version};
  out.facts["chart"] = {{"apiVersion", "v2"}, {"name", name}, {"version", version}};
  out.files.push_back({RelPath::parse(path_in_bundle(name, version)), bytes.size(), sha256(bytes), {}, {}});
  return out;
}

TEST(ChartIndexTest, AFolderOfChartsHasAnIndexThatNamesThem) {
  const std::vector<Artifact> charts = {chart_of("storage", "1.2.0", "one"), chart_of("storage", "1.10.0", "two")};
  const auto layout = chart_repository(charts);
  EXPECT_THAT(layout.files, UnorderedElementsAre(Key("storage-1.2.0.tgz"), Key("storage-1.10.0.tgz")));
  EXPECT_THAT(layout.documents, UnorderedElementsAre(Key("index.yaml")));
  const auto index = parse_json(layout.documents.at("index.yaml"));
  EXPECT_EQ(index["apiVersion"], "v1");
  ASSERT_EQ(index["entries"]["storage"].size(), 2u);
  for (const auto& entry : index["entries"]["storage"]) {
    const auto url = entry["urls"][0].get<std::string>();
    EXPECT_EQ(entry["digest"], layout.files.at(url).digest.hex()) << url;
    EXPECT_FALSE(entry.contains("created")) << "the same charts give the same index";
  }
  EXPECT_FALSE(index.contains("generated"));
}

TEST(ChartIndexTest, TwoChartsWhoseFilesHaveOneNameLieInFoldersOfTheirOwn) {
  const std::vector<Artifact> charts = {chart_of("demo", "1.0.0-2.0.0", "the prerelease"),
                                        chart_of("demo-1.0.0", "2.0.0", "another chart")};
  const auto layout = chart_repository(charts);
  ASSERT_THAT(layout.files,
              UnorderedElementsAre(Key("demo/demo-1.0.0-2.0.0.tgz"), Key("demo-1.0.0/demo-1.0.0-2.0.0.tgz")));
  EXPECT_EQ(layout.files.at("demo/demo-1.0.0-2.0.0.tgz").digest, sha256("the prerelease"));
}

TEST(ChartIndexTest, OfTwoContentsTheLaterCountsAndWhatIsNoChartIsPassedOver) {
  auto odd = chart_of("odd", "1.0.0", "odd");
  odd.facts["chart"] = "text";
  const std::vector<Artifact> charts = {chart_of("storage", "1.2.0", "old"), chart_of("storage", "1.2.0", "new"), odd};
  const auto layout = chart_repository(charts);
  ASSERT_EQ(layout.files.size(), 1u);
  EXPECT_EQ(layout.files.at("storage-1.2.0.tgz").digest, sha256("new"));
}

}  // namespace
}  // namespace liftlock::helm
