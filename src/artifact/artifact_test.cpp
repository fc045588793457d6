#include "artifact/artifact.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>

#include "artifact/artifact_lines.hpp"
#include "artifact/artifact_text.hpp"
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

TEST(Artifact, ItsTextIsThatOfItsJson) {
  auto artifact = example();
  artifact.needs = {"wheel:a@1", "wheel:b@2"};
  artifact.files.push_back(artifact.files[0]);
  EXPECT_EQ(artifact_line(artifact), dump_json_line(to_json(artifact)));
  JsonText out(JsonText::Style::document);
  write_artifact(out, artifact);
  EXPECT_EQ(out.take(), dump_json(to_json(artifact)));
}

TEST(Artifact, ReadFileByFileItIsTheSameWhateverTheText) {
  auto artifact = example();
  artifact.facts = {{"files", {"]", "[{", "\"files\":["}}, {"nested", {{"files", Json::array({1, 2})}}}};
  artifact.files.push_back(artifact.files[0]);
  artifact.files[1].path = RelPath::parse("packages/pypi/z");
  artifact.files[1].evidence.clear();
  const JsonLimits limits{.max_bytes = 10'000, .max_depth = 6};
  int taken = 0, refused = 0;
  const auto compare = [&](const std::string& text) {
    std::optional<Artifact> whole, parts;
    try {
      whole = artifact_from_json(parse_json(text, limits));
    } catch (const Error&) {
    }
    try {
      parts = parse_artifact(text, limits);
    } catch (const Error&) {
    }
    ++(whole ? taken : refused);
    EXPECT_EQ(parts, whole) << text;
  };
  const auto line = artifact_line(artifact), pretty = dump_json(to_json(artifact));
  for (const auto& text : {line, pretty}) {
    compare(text);
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        auto flipped = text;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        compare(flipped);
      }
      compare(text.substr(0, at));
      compare(text.substr(0, at) + text.substr(at + 1));
      for (const auto* more :
           {",", "]", "[", "}", "{", "\"", "\\", "\"files\":[],", "\"files\":[{}],", "null,", "\xef\xbb\xbf"})
        compare(text.substr(0, at) + more + text.substr(at));
    }
  }
  EXPECT_GT(taken, 1000);
  EXPECT_GT(refused, 1000);
  for (const auto* files : {"[]", "[ ]", "[null]", "7", "{}", "[[[[[[[]]]]]]]"}) {
    compare(fmt::format(R"({{"facts":{{}},"files":{},"kind":"k","license":"","name":"n","needs":[],"version":"1"}})",
                        files));
  }
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
