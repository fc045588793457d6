#include "ecosystem/maven/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/maven/inspector.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

using testing::HasSubstr;

/// The end of an empty zip.
const std::string k_jar = std::string("PK\5\6", 4) + std::string(18, '\0');

class MavenCollectorTest : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((m_root / "m2" / path).parent_path());
    write_file_atomically(m_root / "m2" / path, text);
  }
  Collected resolve() { return MavenCollector().resolve(m_entry, context); }
  static std::string pom(const std::string& artifact, const std::string& more = {}) {
    const auto own = "<groupId>example.test</groupId><artifactId>" + artifact + "</artifactId><version>1.0</version>";
    return "<project>" + own + more + "</project>";
  }
  Error error() {
    try {
      resolve();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return Error(ErrorCode::internal, "");
  }

  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store,
                         downloader,
                         silent_reporter(),
                         m_root,
                         m_root / "scratch",
                         "linux/amd64",
                         {},
                         [this](const Artifact& artifact) {
                           std::vector<UniqueFd> open;
                           std::vector<int> files;
                           for (const auto& file : artifact.files)
                             files.push_back(open.emplace_back(store.open(file.digest)).get());
                           return MavenInspector().inspect(artifact, files);
                         }};
  StackEntry m_entry{.table = "maven", .name = "app", .values = {{"repository", "m2"}}, .declared = sha256("")};
};

TEST_F(MavenCollectorTest, TakesArtifactsAndLeavesMavensOwnNotes) {
  put("example/test/demo/1.0/demo-1.0.jar", k_jar);
  put("example/test/demo/1.0/demo-1.0.pom", pom("demo"));
  put("example/test/demo/1.0/demo-1.0.pom.sha1", "x");
  put("example/test/demo/1.0/_remote.repositories", "#NOTE\ndemo-1.0.jar>central=\ndemo-1.0.pom>=\n");
  put("example/test/demo/maven-metadata-central.xml", "<metadata/>");
  put("example/test/demo/resolver-status.properties", "");
  put("example/test/gone/1.0/gone-1.0.pom.lastUpdated", "");
  put(".locks/x", "");
  const auto collected = resolve();
  ASSERT_EQ(collected.artifacts.size(), 1u);
  const auto& demo = collected.artifacts[0];
  EXPECT_EQ(demo.id(), "maven:example.test:demo@1.0");
  ASSERT_EQ(demo.files.size(), 2u);
  EXPECT_EQ(demo.files[0].path.text(), "packages/maven/example/test/demo/1.0/demo-1.0.jar");
  EXPECT_EQ(demo.files[0].evidence[0].type, "first-use");
  EXPECT_EQ(demo.files[0].evidence[0].details["repository"], "central");
  EXPECT_TRUE(MavenCollector().plan(demo, m_entry, context).empty());
}

TEST_F(MavenCollectorTest, LicencesAndNeedsAreThoseOfThePoms) {
  put("example/test/demo/1.0/demo-1.0.jar", k_jar);
  put("example/test/demo/1.0/demo-1.0.pom",
      pom("demo",
          "<licenses><license><name>Apache License, Version 2.0</name></license></licenses><dependencies><dependency>"
          "<groupId>example.test</groupId><artifactId>lib</artifactId><version>1.0</version></dependency>"
          "</dependencies>"));
  put("example/test/lib/1.0/lib-1.0.jar", k_jar);
  put("example/test/lib/1.0/lib-1.0.pom", pom("lib"));
  const auto collected = resolve();
  ASSERT_EQ(collected.artifacts.size(), 2u);
  EXPECT_EQ(collected.artifacts[0].license, "Apache-2.0");
  EXPECT_THAT(collected.artifacts[0].needs, testing::ElementsAre("maven:example.test:lib@1.0"));
  EXPECT_EQ(collected.artifacts[1].license, "");
  EXPECT_TRUE(collected.artifacts[1].needs.empty());
}

TEST_F(MavenCollectorTest, LicencesThatAreTextsEndNoLock) {
  const auto stated = [&](const std::string& names) {
    put("example/test/demo/1.0/demo-1.0.pom", pom("demo", "<licenses>" + names + "</licenses>"));
    return resolve().artifacts[0].license;
  };
  const auto name = [](std::size_t size, char c) {
    return "<license><name>" + std::string(size, c) + "</name></license>";
  };
  EXPECT_EQ(stated(name(1801, 'x')), "");
  std::string eight;
  for (char c = 'a'; c < 'i'; ++c) eight += name(900, c);
  EXPECT_EQ(stated(eight), "");
}

TEST_F(MavenCollectorTest, ChecksumsThatLieAreRefused) {
  put("example/test/demo/1.0/demo-1.0.pom", pom("demo"));
  const auto sums = [&](const std::string& suffix, const std::string& text) {
    put("example/test/demo/1.0/demo-1.0.pom." + suffix, text);
  };
  sums("sha256", sha256(pom("demo")).hex() + "  demo-1.0.pom\n");
  sums("sha1", "<html>not found</html>");
  EXPECT_EQ(resolve().artifacts.size(), 1u);
  sums("sha1", std::string(40, 'A') + "\n");
  EXPECT_EQ(error().code(), ErrorCode::digest_mismatch);
  EXPECT_THAT(std::string(error().what()), HasSubstr("'demo-1.0.pom.sha1' beside it states"));
  sums("sha1", "");
  sums("sha256", std::string(64, '0'));
  EXPECT_EQ(error().code(), ErrorCode::digest_mismatch);
}

TEST_F(MavenCollectorTest, PomsThatLieAreRefusedWhenTheyAreLocked) {
  put("example/test/demo/1.0/demo-1.0.pom", pom("other"));
  EXPECT_EQ(error().code(), ErrorCode::package_malformed);
  EXPECT_THAT(std::string(error().what()), HasSubstr("artifactId 'other'"));
}

TEST_F(MavenCollectorTest, RefusesWhatChangesOrIsNoRepository) {
  EXPECT_THAT(std::string(error().hint()), HasSubstr("mvn -Dmaven.repo.local=m2"));
  fs::create_directories(m_root / "m2");
  EXPECT_EQ(error().code(), ErrorCode::unresolvable);
  put("example/test/demo/1.0-SNAPSHOT/demo-1.0-SNAPSHOT.jar", "PK");
  EXPECT_EQ(error().code(), ErrorCode::moving_tag);
  fs::remove_all(m_root / "m2/example");
  put("settings.xml", "<settings/>");
  EXPECT_EQ(error().code(), ErrorCode::unresolvable);
  fs::remove_all(m_root / "m2/settings.xml");
  fs::create_directories(m_root / "m2/a/b/1");
  fs::create_symlink("/etc/passwd", m_root / "m2/a/b/1/b-1.jar");
  EXPECT_EQ(error().code(), ErrorCode::not_regular);
}

/// Stands in the place of mvn: it fails with the names of what it was given to build.
class MavenBuildTest : public MavenCollectorTest {
 protected:
  MavenBuildTest() : m_path(::getenv("PATH")) {
    fs::create_directory(m_root / "bin");
    write_file_atomically(m_root / "bin/mvn", "#!/bin/sh\nfind . -type f | LC_ALL=C sort\nexit 1\n");
    fs::permissions(m_root / "bin/mvn", fs::perms::owner_all);
    ::setenv("PATH", ((m_root / "bin").string() + ":" + m_path).c_str(), 1);
    for (const auto* name : {"pom.xml", "src/main/A.java", "module/src/B.java", "target/a.jar", ".git/x"}) {
      fs::create_directories((m_project / name).parent_path());
      write_file_atomically(m_project / name, "x");
    }
    m_entry.values = {{"repository", "m2"}, {"project", "project/pom.xml"}};
  }
  ~MavenBuildTest() override { ::setenv("PATH", m_path.c_str(), 1); }

  std::string m_path;
  fs::path m_project = m_root / "project";
};

TEST_F(MavenBuildTest, TheStateFolderBelowTheProjectIsNotCopiedIntoItself) {
  BlobStore own(m_project / "state/store");
  own.put("what was fetched");
  const auto scratch = m_project / "state/scratch-1";
  fs::create_directory(scratch);
  write_file_atomically(m_project / "state/config.toml", "");
  CollectContext within{own, downloader, silent_reporter(), m_root, scratch, "linux/amd64"};
  const auto result = MavenCollector().check(m_entry, {}, within);
  ASSERT_EQ(result.missing.size(), 1u);
  EXPECT_THAT(result.missing[0].what, HasSubstr(": ./module/src/B.java; ./pom.xml; ./src/main/A.java; run it again"));
}

TEST_F(MavenBuildTest, AProjectOfTooManyBytesIsRefused) {
  fs::create_directories(m_project / "deep/data");
  write_file_atomically(m_project / "deep/data/large", "x");
  fs::resize_file(m_project / "deep/data/large", 5ULL << 30);  // with a hole: it takes no room
  try {
    MavenCollector().check(m_entry, {}, context);
    FAIL() << "it was copied";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
    EXPECT_THAT(error.what(), HasSubstr("4.0 GiB"));
  }
  EXPECT_TRUE(fs::is_empty(m_root / "scratch"));
}

}  // namespace
}  // namespace liftlock::maven
