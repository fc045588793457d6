#include "ecosystem/npm/package_json.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace liftlock::npm {
namespace {

PackageJson parsed(std::string_view more) {
  return parse_package_json(R"({"name": "a", "version": "1.0.0", )" + std::string(more) + "}");
}

TEST(PackageJson, TakesOldWaysOfSayingThings) {
  EXPECT_EQ(parsed(R"("license": {"type": "MIT", "url": "x"})").license, "MIT");
  EXPECT_EQ(parsed(R"("licenses": [{"type": "MIT"}, {"type": "BSD"}])").license, "MIT OR BSD");
  EXPECT_EQ(parsed(R"("license": ["MIT"])").license, "MIT");
  EXPECT_EQ(parsed(R"("bin": "x.js")").manifest["bin"], (Json{{"a", "x.js"}}));
  EXPECT_EQ(parsed(R"("os": "linux")").manifest["os"], Json::array({"linux"}));
  EXPECT_EQ(parsed(R"("bundledDependencies": ["b"])").manifest["bundleDependencies"], Json::array({"b"}));
  EXPECT_EQ(parsed(R"("bundleDependencies": true)").manifest["bundleDependencies"], true);
}

TEST(PackageJson, LeavesOutWhatHasAnotherType) {
  const auto manifest =
      parsed(R"("dependencies": ["b"], "optionalDependencies": {"c": 1, "d": "2"}, "engines": ["node >= 1"], "os": [1],
                "bin": {"x": {}}, "scripts": {"install": 5}, "directories": "x", "peerDependenciesMeta": {"x": 1})")
          .manifest;
  EXPECT_EQ(manifest, (Json{{"name", "a"}, {"version", "1.0.0"}, {"optionalDependencies", {{"d", "2"}}}}));
}

TEST(PackageJson, CutsALongDescriptionBetweenCharacters) {
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xC3\xA4";
  const auto text = parsed("\"description\": \"x" + umlauts + "\"").manifest["description"].get<std::string>();
  EXPECT_EQ(text.size(), 999u);
}

TEST(PackageJson, EveryShapeOfAMemberIsReadOrRefused) {
  for (const auto* member : {"name", "version", "description", "license", "licenses", "dependencies", "bin",
                             "directories", "scripts", "os", "engines", "peerDependenciesMeta", "bundleDependencies"}) {
    for (const auto* value :
         {"null", "1", "-1.5e300", "\"\"", "[]", "{}", "[[[{}]]]", "{\"a\": {\"b\": []}}", "true"}) {
      const auto text = std::string("{\"") + member + "\": " + value + "}";
      EXPECT_THROW(parse_package_json(text), Error) << text;  // name or version is missing at least
      if (std::string_view(member) == "name" || std::string_view(member) == "version") continue;
      EXPECT_NO_THROW(parsed(std::string("\"") + member + "\": " + value)) << text;
    }
  }
}

}  // namespace
}  // namespace liftlock::npm
