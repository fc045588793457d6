#include "artifact/artifact.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace liftlock {
namespace {

Artifact example() {
  const auto digest = Digest::parse("sha256:" + std::string(64, '1'));
  return {.kind = "wheel",
          .name = "idna",
          .version = "3.4",
          .license = "BSD-3-Clause",
          .facts = {{"requires-python", ">=3.5"}},
          .needs = {},
          .files = {{RelPath::parse("packages/pypi/idna-3.4-py3-none-any.whl"),
                     61538,
                     digest,
                     "https://x.example/idna",
                     {{"index-hash", {{"sha256", digest.hex()}}}}}}};
}

TEST(Artifact, RoundTripsThroughJson) {
  const auto artifact = example();
  EXPECT_EQ(artifact_from_json(to_json(artifact)), artifact);
  EXPECT_EQ(artifact.id(), "wheel:idna@3.4");
  EXPECT_EQ(artifact.total_size(), 61538u);
}

TEST(Artifact, RefusesUnknownMembersUnsafePathsAndUnsortedFiles) {
  auto json = to_json(example());
  json["surprise"] = 1;
  EXPECT_THROW(artifact_from_json(json), Error);
  json = to_json(example());
  json["files"][0]["path"] = "../etc/passwd";
  EXPECT_THROW(artifact_from_json(json), Error);
  json = to_json(example());
  json["files"].push_back(json["files"][0]);
  json["files"][1]["path"] = "a";
  EXPECT_THROW(artifact_from_json(json), Error);
}

}  // namespace
}  // namespace liftlock
