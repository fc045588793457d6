#include "ecosystem/maven/repository_layout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "os/file.hpp"

namespace liftlock::maven {
namespace {

using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

class RepositoryLayoutTest : public testing::Test {
 protected:
  void add(const std::string& version, const std::vector<std::string>& ends, const std::string& salt = "") {
    Artifact artifact{.kind = "maven", .name = "example.test:demo", .version = version};
    for (const auto& end : ends) {
      const auto bytes = end + " " + version + salt;
      artifact.files.push_back(
          {RelPath::parse("packages/maven/example/test/demo/" + version + "/demo-" + version + "." + end),
           bytes.size(),
           m_store.put(bytes),
           {},
           {}});
    }
    m_artifacts.push_back(std::move(artifact));
  }
  PlainLayout layout() const { return repository_layout(m_artifacts, m_store); }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path() / "store"};
  std::vector<Artifact> m_artifacts;
};

TEST_F(RepositoryLayoutTest, LiesAsMavenReadsItWithChecksumsAndVersions) {
  add("1.0", {"jar"});
  add("1.1", {"pom"});
  const auto made = layout();
  const std::string base = "example/test/demo/";
  EXPECT_THAT(made.files, UnorderedElementsAre(Key(base + "1.0/demo-1.0.jar"), Key(base + "1.1/demo-1.1.pom")));
  EXPECT_THAT(made.documents,
              UnorderedElementsAre(Key(base + "1.0/demo-1.0.jar.sha1"), Key(base + "1.1/demo-1.1.pom.sha1"),
                                   Key(base + "maven-metadata.xml"), Key(base + "maven-metadata.xml.sha1")));
  EXPECT_EQ(made.documents.at(base + "1.0/demo-1.0.jar.sha1"), "19f694f8032b39047df9b87d5c28a4a734f9db71");
  EXPECT_THAT(made.documents.at(base + "maven-metadata.xml"),
              HasSubstr("<version>1.0</version>\n      <version>1.1</version>"));
  EXPECT_EQ(made.documents.at(base + "maven-metadata.xml.sha1").size(), 40u);
}

TEST_F(RepositoryLayoutTest, APomAloneDoesNotHideTheJarOfAnother) {
  add("1.0", {"jar", "pom"}, " old");
  add("1.0", {"pom"});
  const auto made = layout();
  EXPECT_TRUE(made.files.contains("example/test/demo/1.0/demo-1.0.jar"));
  EXPECT_EQ(made.files.at("example/test/demo/1.0/demo-1.0.pom").size, std::string("pom 1.0").size()) << "the newer's";
}

TEST_F(RepositoryLayoutTest, WhatIsNotInThatLayoutIsLeftOut) {
  Artifact odd{.kind = "maven", .name = "example.test:odd", .version = "1.0"};
  odd.files.push_back({RelPath::parse("packages/maven/odd.jar"), 3, m_store.put("odd"), {}, {}});
  odd.files.push_back({RelPath::parse("files/example/test/odd/1.0/odd-1.0.jar"), 3, m_store.put("odd"), {}, {}});
  m_artifacts = {odd};
  EXPECT_TRUE(layout().files.empty());
  EXPECT_TRUE(layout().documents.empty());
}

}  // namespace
}  // namespace liftlock::maven
