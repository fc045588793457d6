#include "ecosystem/go/module_proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/hash.hpp"
#include "ecosystem/go/module_path.hpp"

namespace liftlock::go {
namespace {

using testing::UnorderedElementsAre;

Artifact module_of(const std::string& path, const std::string& version, const std::vector<std::string>& ends,
                   const std::string& salt = "") {
  Artifact out{.kind = "go-module", .name = path, .version = version};
  for (const auto& end : ends) {
    const auto bytes = path + version + end + salt;
    out.files.push_back(
        {RelPath::parse("packages/go/" + escape_module(path) + "/@v/" + escape_module(version) + "." + end),
         bytes.size(),
         sha256(bytes),
         {},
         {}});
  }
  return out;
}

std::vector<std::string> paths_of(const PlainLayout& layout) {
  std::vector<std::string> out;
  for (const auto& [path, file] : layout.files) out.push_back(path);
  for (const auto& [path, text] : layout.documents) out.push_back(path);
  return out;
}

TEST(ModuleProxyTest, LiesAsGoReadsItFromAFolder) {
  const std::vector<Artifact> artifacts = {module_of("github.com/BurntSushi/toml", "v1.2.0", {"info", "mod", "zip"}),
                                           module_of("github.com/BurntSushi/toml", "v1.10.0", {"info", "mod", "zip"}),
                                           module_of("example.test/a", "v1.0.0", {"info", "mod"})};
  const auto layout = module_proxy(artifacts);
  const std::string toml = "github.com/!burnt!sushi/toml/";
  EXPECT_THAT(paths_of(layout),
              UnorderedElementsAre(toml + "@v/v1.2.0.info", toml + "@v/v1.2.0.mod", toml + "@v/v1.2.0.zip",
                                   toml + "@v/v1.10.0.info", toml + "@v/v1.10.0.mod", toml + "@v/v1.10.0.zip",
                                   toml + "@v/list", toml + "@latest", "example.test/a/@v/v1.0.0.info",
                                   "example.test/a/@v/v1.0.0.mod", "example.test/a/@v/list"));
  EXPECT_EQ(layout.documents.at(toml + "@v/list"), "v1.2.0\nv1.10.0\n");
  EXPECT_EQ(layout.files.at(toml + "@latest").digest, sha256("github.com/BurntSushi/tomlv1.10.0info"));
  EXPECT_EQ(layout.documents.at("example.test/a/@v/list"), "") << "its go.mod alone is none to choose";
}

TEST(ModuleProxyTest, WhatOneStackBroughtDoesNotHideWhatAnotherDid) {
  const std::vector<Artifact> artifacts = {module_of("example.test/a", "v1.0.0", {"info", "mod", "zip"}, "old"),
                                           module_of("example.test/a", "v1.0.0", {"info", "mod"})};
  const auto layout = module_proxy(artifacts);
  EXPECT_EQ(layout.documents.at("example.test/a/@v/list"), "v1.0.0\n");
  EXPECT_TRUE(layout.files.contains("example.test/a/@v/v1.0.0.zip"));
  EXPECT_EQ(layout.files.at("example.test/a/@v/v1.0.0.mod").digest, sha256("example.test/av1.0.0mod"))
      << "the newer content's";
}

TEST(ModuleProxyTest, WhatIsNoModuleIsPassedOver) {
  auto other = module_of("example.test/a", "v1.0.0", {"mod"});
  other.kind = "file";
  const std::vector<Artifact> artifacts = {other, module_of("example.test/b", "latest", {"mod"})};
  EXPECT_TRUE(paths_of(module_proxy(artifacts)).empty());
}

}  // namespace
}  // namespace liftlock::go
