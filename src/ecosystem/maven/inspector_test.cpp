#include "ecosystem/maven/inspector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/maven/repository_path.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

using testing::HasSubstr;

TEST(RepositoryPath, IsGroupArtifactVersionFile) {
  const auto place = parse_repository_path("org/apache/commons/commons-lang3/3.14.0/commons-lang3-3.14.0-sources.jar");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->name(), "org.apache.commons:commons-lang3");
  EXPECT_EQ(place->version, "3.14.0");
  EXPECT_EQ(place->folder(), "org/apache/commons/commons-lang3/3.14.0");
  EXPECT_EQ(folder_of("org.apache.commons:commons-lang3", "3.14.0"), place->folder());
  for (const auto* bad : {"", "a", "a/b/1", "a/b/1/c-1.jar", "a/b/1/b-2.jar", "a/b/1/b-1", "a/b/1/b-1x.jar",
                          "../b/1/b-1.jar", "a/../b/1/b-1.jar", "/a/b/1/b-1.jar", "a.b/c/1/c-1.jar",
                          "a/b c/1/b c-1.jar", "a/b/1/b-1.jar/", ".a/b/1/b-1.jar"})
    EXPECT_FALSE(parse_repository_path(bad)) << bad;
  for (const auto* bad : {"", "a", "a:", ":b", "a/x:b", "a:b/../c"}) EXPECT_FALSE(folder_of(bad, "1")) << bad;
}

Inspection inspect(const std::string& path, const std::string& bytes) {
  const UniqueFd fd(::memfd_create("file", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  Artifact artifact{.kind = "maven", .name = "example.test:demo", .version = "1.0"};
  artifact.files.push_back({RelPath::parse(path), bytes.size(), sha256(bytes), {}, {}});
  const int files[] = {fd.get()};
  return MavenInspector().inspect(artifact, files);
}

TEST(MavenInspector, AcceptsFilesInTheirPlace) {
  EXPECT_TRUE(inspect("packages/maven/example/test/demo/1.0/demo-1.0.pom", "<project/>").findings.empty());
  EXPECT_TRUE(inspect("packages/maven/example/test/demo/1.0/demo-1.0-tests.jar", "PK\3\4…").findings.empty());
  EXPECT_TRUE(inspect("packages/maven/example/test/demo/1.0/demo-1.0.module", "{}").findings.empty());
}

TEST(MavenInspector, RefusesFilesThatAreOrLieElsewhere) {
  const auto code_of = [](const std::string& path, const std::string& bytes) {
    const auto inspection = inspect(path, bytes);
    return inspection.findings.empty() ? ErrorCode::internal : inspection.findings[0].code;
  };
  const std::string folder = "packages/maven/example/test/demo/1.0/";
  for (const auto* path :
       {"packages/maven/example/test/demo/1.1/demo-1.1.pom", "packages/maven/example/test/other/1.0/other-1.0.pom",
        "packages/maven/example/demo/1.0/demo-1.0.pom", "packages/x/example/test/demo/1.0/demo-1.0.pom"})
    EXPECT_EQ(code_of(path, "<project/>"), ErrorCode::package_malformed) << path;
  EXPECT_EQ(code_of(folder + "demo-1.0.pom", "<html>"), ErrorCode::package_malformed);
  EXPECT_EQ(code_of(folder + "demo-1.0.pom", "<!DOCTYPE x [<!ENTITY a \"b\">]><project/>"),
            ErrorCode::package_malformed);
  EXPECT_EQ(code_of(folder + "demo-1.0.pom", std::string((8u << 20) + 1, ' ')), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of(folder + "demo-1.0.jar", "<html>404</html>"), ErrorCode::package_malformed);
  EXPECT_EQ(code_of(folder + "demo-1.0.jar", "P"), ErrorCode::package_malformed);
}

}  // namespace
}  // namespace liftlock::maven
