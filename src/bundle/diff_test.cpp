#include "bundle/diff.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"

namespace liftlock {
namespace {

Artifact artifact(const std::string& artifact_name, const std::string& version, const std::string& content = "same") {
  return {.kind = "wheel",
          .name = artifact_name,
          .version = version,
          .license = {},
          .facts = Json::object(),
          .needs = {},
          .files = {{.path = RelPath::parse("packages/" + artifact_name + "-" + version),
                     .size = content.size(),
                     .digest = sha256(content),
                     .origin = {},
                     .evidence = {}}}};
}

TEST(Diff, NamesWhatWasAddedRemovedAndChanged) {
  const auto changes =
      diff_artifacts({artifact("a", "1"), artifact("b", "1"), artifact("c", "1"), artifact("d", "1")},
                     {artifact("b", "2"), artifact("c", "1", "other"), artifact("d", "1"), artifact("e", "1")});
  ASSERT_EQ(changes.size(), 4u);
  EXPECT_EQ(changes[0].change, Difference::Change::removed);
  EXPECT_EQ(changes[1].change, Difference::Change::version);
  EXPECT_EQ(changes[1].old_version + ">" + changes[1].new_version, "1>2");
  EXPECT_EQ(changes[2].change, Difference::Change::content);
  EXPECT_EQ(changes[2].paths, std::vector<std::string>{"packages/c-1"});
  EXPECT_EQ(changes[3].change, Difference::Change::added);
  EXPECT_EQ(to_json(changes[3])["new"]["version"], "1");
}

TEST(Diff, SeveralVersionsAreNotPaired) {
  const auto changes = diff_artifacts({artifact("a", "1"), artifact("a", "2")},
                                      {artifact("a", "2"), artifact("a", "3"), artifact("a", "4")});
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].change, Difference::Change::removed);
  EXPECT_EQ(changes[1].change, Difference::Change::added);
}

TEST(Diff, EqualSetsDoNotDiffer) {
  EXPECT_TRUE(diff_artifacts({artifact("a", "1")}, {artifact("a", "1")}).empty());
}

}  // namespace
}  // namespace liftlock
