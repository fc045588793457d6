#include "ecosystem/helm/render_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "archive/archive_fixture.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/yaml.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::helm {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST(ImagesOfValues, AreReadAsChartsWriteThem) {
  const auto images = [](std::string_view yaml) { return images_of_values(parse_yaml(yaml, "values.yaml"), "9.9"); };
  EXPECT_THAT(images("image:\n  repository: nginx\n  tag: ''\n"), ElementsAre("nginx:9.9"));
  EXPECT_THAT(images("image:\n  registry: reg.example\n  repository: a/b\n  tag: 1.10\n"),
              ElementsAre("reg.example/a/b:1.10"));
  EXPECT_THAT(images("server:\n  image: x/y:2\nsidecarImage: {repository: side, tag: '3'}\n"),
              UnorderedElementsAre("x/y:2", "side:3"));
  EXPECT_THAT(images("image: {repository: d, digest: 'sha256:" + std::string(64, 'a') + "'}\n"),
              ElementsAre("d:9.9@sha256:" + std::string(64, 'a')));
  EXPECT_THAT(images("jobs:\n- image: {repository: j, tag: '1'}\n- image: k:1\n"), UnorderedElementsAre("j:1", "k:1"));
}

TEST(ImagesOfValues, LeaveOutWhatIsOffOrNoImage) {
  const auto images = [](std::string_view yaml) { return images_of_values(parse_yaml(yaml, "values.yaml"), ""); };
  EXPECT_THAT(images("db:\n  enabled: false\n  image: {repository: postgres, tag: '16'}\n"), IsEmpty());
  EXPECT_THAT(images("source: {repository: 'https://git.example/x'}\ngit: {repository: team/x}\n"), IsEmpty());
  EXPECT_THAT(images("image: ''\nimagePullSecrets: []\n"), IsEmpty());
  EXPECT_THAT(images("- 1\n"), IsEmpty());
  std::string many;
  for (int i = 0; i < 1500; ++i) many += "k" + std::to_string(i) + ":\n  image: {repository: r, tag: '1'}\n";
  EXPECT_EQ(images(many).size(), 1000u);
}

class RenderCheckTest : public testing::Test {
 protected:
  RenderCheckTest() { fs::create_directory(m_root / "scratch"); }
  CheckResult check(const std::vector<TestMember>& members) {
    const auto bytes = test_archive("ustar", "gzip", members);
    Artifact artifact{.kind = "chart", .name = "storage", .version = "1.0.0"};
    artifact.facts = {{"chart", m_facts}};
    artifact.files.push_back({RelPath::parse("charts/storage-1.0.0.tgz"), bytes.size(), store.put(bytes), "", {}});
    return check_render(entry, {artifact}, context);
  }

  Json m_facts = {{"appVersion", "7.1"}};
  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store, downloader, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
  StackEntry entry{.table = "chart", .name = "storage", .values = Json::object(), .declared = sha256("")};
};

TEST_F(RenderCheckTest, WithoutHelmTheFilesOfTheChartAreRead) {
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  const auto result = check(
      {{"storage/Chart.yaml",
        "apiVersion: v2\nname: storage\nversion: 1.0.0\nannotations:\n  artifacthub.io/images: |\n    - name: x\n      "
        "image: quay.example/x:5\n"},
       {"storage/values.yaml", "image: {repository: team/server}\n"},
       {"storage/charts/sub/values.yaml", "anchor: &a {x: y}\nimage: {repository: unseen}\nother: *a\n"},
       {"storage/templates/a.yaml", "containers:\n- image: {{ .Values.x }}\n- image: busybox:1.36\n"},
       {"storage/templates/tests/t.yaml", "image: test-only:1\n"}});
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(result.proven, HasSubstr("there is no helm here"));
  EXPECT_THAT(result.manifests, HasSubstr("image: \"team/server:7.1\"\n"));
  EXPECT_THAT(result.manifests, HasSubstr("image: busybox:1.36"));
  EXPECT_THAT(result.manifests, HasSubstr("image: quay.example/x:5"));
  EXPECT_THAT(result.manifests, Not(HasSubstr("test-only")));
  EXPECT_THAT(result.missing, IsEmpty());
}

TEST_F(RenderCheckTest, WithHelmValuesDecide) {
  if (!find_program("helm")) GTEST_SKIP() << "no helm here";
  entry.values = {{"values", {"mine.yaml"}}};
  write_file_atomically(m_root / "mine.yaml", "image: {tag: mine}\n");
  const std::vector<TestMember> chart = {
      {"storage/Chart.yaml", "apiVersion: v2\nname: storage\nversion: 1.0.0\n"},
      {"storage/values.yaml", "image: {repository: team/server, tag: usual}\n"},
      {"storage/templates/a.yaml",
       "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: {{ "
       ".Values.image.repository }}:{{ .Values.image.tag }}\n"}};
  const auto result = check(chart);
  EXPECT_THAT(result.proven, HasSubstr("helm template renders it"));
  EXPECT_THAT(result.manifests, HasSubstr("image: team/server:mine"));
}

/// Stands in the place of helm: it notes what it was asked and does what `body` says.
class FakeHelmTest : public RenderCheckTest {
 protected:
  FakeHelmTest() : m_path(::getenv("PATH")) {
    fs::create_directory(m_root / "bin");
    ::setenv("PATH", ((m_root / "bin").string() + ":" + m_path).c_str(), 1);
  }
  ~FakeHelmTest() override { ::setenv("PATH", m_path.c_str(), 1); }
  void fake(const std::string& body) {
    write_file_atomically(m_root / "bin/helm",
                          "#!/bin/sh\nif [ \"$1\" = version ]; then echo v3.0.0; exit; fi\n" + body);
    fs::permissions(m_root / "bin/helm", fs::perms::owner_all);
  }

  std::string m_path;
  std::vector<TestMember> m_chart = {{"storage/Chart.yaml", "apiVersion: v2\nname: storage\nversion: 1.0.0\n"}};
};

TEST_F(FakeHelmTest, AChartThatHelmRefusesIsMissing) {
  fake("echo 'Error: execution error at (storage/templates/a.yaml:1:3): a password is needed' >&2; exit 1\n");
  auto result = check(m_chart);
  EXPECT_THAT(result.proven, IsEmpty());
  ASSERT_EQ(result.missing.size(), 1u);
  EXPECT_EQ(result.missing[0].what,
            "helm template does not render it: execution error at (storage/templates/a.yaml:1:3): a password is "
            "needed; values that it needs are named by the key values of [chart.storage]");
  entry.values = {{"values", {"mine.yaml"}}};
  write_file_atomically(m_root / "mine.yaml", "a: b\n");
  result = check(m_chart);
  ASSERT_EQ(result.missing.size(), 1u);
  EXPECT_THAT(result.missing[0].what, EndsWith("a password is needed"));
}

TEST_F(FakeHelmTest, ValuesThatAreNotThereAreAnError) {
  fake("exit 0\n");
  entry.values = {{"values", {"none.yaml"}}};
  try {
    check(m_chart);
    FAIL() << "nobody missed the values";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("none.yaml"));
  }
}

TEST_F(FakeHelmTest, TheReleaseHasTheSameNameForEveryChart) {
  fake("echo \"# $2\"\n");
  const auto result = check(m_chart);
  EXPECT_EQ(result.manifests, "# release\n");
  EXPECT_THAT(result.proven, HasSubstr("(v3.0.0)"));
}

TEST_F(FakeHelmTest, ALibraryChartIsReadAndNotRendered) {
  fake("echo 'Error: library charts are not installable' >&2; exit 1\n");
  m_facts["type"] = "library";
  const auto result = check(m_chart);
  EXPECT_THAT(result.missing, IsEmpty());
  EXPECT_THAT(result.proven, HasSubstr("helm renders no library chart"));
}

}  // namespace
}  // namespace liftlock::helm
