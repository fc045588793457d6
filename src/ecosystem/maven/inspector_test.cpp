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

const std::string k_folder = "packages/maven/example/test/demo/1.0/";
const std::string k_pom =
    "<project><groupId>example.test</groupId><artifactId>demo</artifactId><version>1.0</version>"
    "<licenses><license><name>The MIT License</name></license></licenses></project>";

/// A jar of one empty entry "a", stored.
std::string jar(const std::string& before = {}, const std::string& comment = {}) {
  const auto little = [](std::uint32_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  };
  const auto fields = little(0, 22) + little(1, 2) + little(0, 2);
  const auto local = "PK\3\4" + little(10, 2) + fields + "a";
  const auto directory = "PK\1\2" + little(10, 2) + little(10, 2) + fields + little(0, 14) + "a";
  return before + local + directory + "PK\5\6" + little(0, 4) + little(1, 2) + little(1, 2) +
         little(static_cast<std::uint32_t>(directory.size()), 4) + little(static_cast<std::uint32_t>(local.size()), 4) +
         little(static_cast<std::uint32_t>(comment.size()), 2) + comment;
}

TEST(MavenInspector, AcceptsFilesInTheirPlace) {
  const auto seen = inspect(k_folder + "demo-1.0.pom", k_pom);
  EXPECT_TRUE(seen.findings.empty());
  EXPECT_EQ(seen.facts["license"], "MIT");
  EXPECT_TRUE(seen.facts.contains("pom"));
  EXPECT_TRUE(inspect(k_folder + "demo-1.0-tests.jar", jar()).findings.empty());
  EXPECT_TRUE(inspect(k_folder + "demo-1.0-app.jar", jar("#!/bin/sh\nexec java -jar\n", "words")).findings.empty());
  EXPECT_TRUE(inspect(k_folder + "demo-1.0.module", "{}").findings.empty());
}

TEST(MavenInspector, CoordinatesThatLeaveTheRepositoryAreRefused) {
  const auto finding = [](const std::string& name, const std::string& version) {
    const UniqueFd fd(::memfd_create("file", MFD_CLOEXEC));
    Artifact artifact{.kind = "maven", .name = name, .version = version};
    artifact.files.push_back({RelPath::parse(k_folder + "demo-1.0.jar"), 0, sha256(""), {}, {}});
    const int files[] = {fd.get()};
    const auto seen = MavenInspector().inspect(artifact, files);
    return seen.findings.empty() ? std::string() : seen.findings[0].message;
  };
  for (const auto* name : {"..:demo", "example.test:..", "../..:demo", "example..test:demo", "example.test:a/../demo",
                           "example.test", ":", "example.test:demo:x", "/example:demo"})
    EXPECT_THAT(finding(name, "1.0"), testing::AnyOf(HasSubstr("no coordinates"), HasSubstr("does not lie"))) << name;
  for (const auto* version : {"..", "../1.0", "1.0/../..", "", "."})
    EXPECT_THAT(finding("example.test:demo", version), HasSubstr("no coordinates")) << version;
}

TEST(MavenInspector, RefusesFilesThatAreOrLieElsewhere) {
  const auto code_of = [](const std::string& path, const std::string& bytes) {
    const auto inspection = inspect(path, bytes);
    return inspection.findings.empty() ? ErrorCode::internal : inspection.findings[0].code;
  };
  for (const auto* path :
       {"packages/maven/example/test/demo/1.1/demo-1.1.pom", "packages/maven/example/test/other/1.0/other-1.0.pom",
        "packages/maven/example/demo/1.0/demo-1.0.pom", "packages/x/example/test/demo/1.0/demo-1.0.pom"})
    EXPECT_EQ(code_of(path, k_pom), ErrorCode::package_malformed) << path;
  EXPECT_EQ(code_of(k_folder + "demo-1.0.pom", "<html>"), ErrorCode::package_malformed);
  EXPECT_EQ(code_of(k_folder + "demo-1.0.pom", "<!DOCTYPE x [<!ENTITY a \"b\">]>" + k_pom),
            ErrorCode::package_malformed);
  EXPECT_EQ(code_of(k_folder + "demo-1.0.pom", std::string((8u << 20) + 1, ' ')), ErrorCode::limit_exceeded);
  for (const auto* end : {".sha1", ".md5", ".sha256", ".sha512"})
    EXPECT_EQ(code_of(k_folder + "demo-1.0.jar" + end, std::string(40, 'a')), ErrorCode::package_malformed) << end;
  for (const auto& bytes :
       {std::string("<html>404</html>"), std::string("P"), std::string("PK\3\4…"), jar().substr(0, jar().size() - 1),
        jar() + "more", jar().substr(0, 40), std::string(70'000, 'P')})
    EXPECT_EQ(code_of(k_folder + "demo-1.0.jar", bytes), ErrorCode::package_malformed) << bytes.size();
  auto moved = jar();
  moved[moved.size() - 10] = 1;  // the directory's size
  EXPECT_EQ(code_of(k_folder + "demo-1.0.jar", moved), ErrorCode::package_malformed);
}

}  // namespace
}  // namespace liftlock::maven
