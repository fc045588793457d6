#include "ecosystem/helm/chart.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/yaml.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::helm {
namespace {

template <typename F>
ErrorCode code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(Yaml, IsReadAsHelmWritesIt) {
  const auto json =
      parse_yaml("a: 1.10\nb: [x, 'null', null, ~, \"\"]\nc:\n  d: |\n    e\n    f\n  g: {h: yes}\n", "it");
  EXPECT_EQ(json, (Json{{"a", "1.10"},
                        {"b", {"x", "null", nullptr, nullptr, ""}},
                        {"c", {{"d", "e\nf\n"}, {"g", {{"h", "yes"}}}}}}));
  EXPECT_EQ(parse_yaml("{\"a\": {\"b\": []}}", "it"), (Json{{"a", {{"b", Json::array()}}}})) << "JSON is YAML";
  EXPECT_EQ(parse_yaml("", "it"), Json());
  EXPECT_EQ(parse_yaml({}, "it"), Json());
}

TEST(Yaml, RefusesWhatUnfoldsRepeatsOrBreaks) {
  const auto code = [](std::string_view text) { return code_of([&] { parse_yaml(text, "it"); }); };
  EXPECT_EQ(code("a: &x [1]\nb: [*x, *x]\n"), ErrorCode::package_malformed);
  EXPECT_EQ(code("a: &x y\n"), ErrorCode::package_malformed);
  EXPECT_EQ(code("a: 1\na: 2\n"), ErrorCode::json_duplicate_key);
  EXPECT_EQ(code("a: 1\n---\nb: 2\n"), ErrorCode::package_malformed);
  EXPECT_EQ(code("? [a]\n: b\n"), ErrorCode::package_malformed);
  EXPECT_EQ(code(std::string(60, '[')), ErrorCode::limit_exceeded);
  EXPECT_EQ(code("a: [b\n"), ErrorCode::package_malformed);
  EXPECT_EQ(code("\xff\xfe"), ErrorCode::package_malformed);
  EXPECT_EQ(code(std::string((1 << 20) + 1, ' ')), ErrorCode::limit_exceeded);
}

TEST(ChartNames, AreThoseThatHelmPackageGives) {
  const auto both = ChartFileName::parse("kube-prometheus-stack-61.3.0-rc.1+build.5.tgz");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->name, "kube-prometheus-stack");
  EXPECT_EQ(both->version, "61.3.0-rc.1+build.5");
  EXPECT_EQ(ChartFileName::parse("a-v1.2.3.tgz")->version, "v1.2.3");
  for (const auto* bad : {"a.tgz", "a-1.tgz", "a-1.2.3.zip", "-1.2.3.tgz", "../a-1.2.3.tgz", "a-01.2.3.tgz"}) {
    EXPECT_FALSE(ChartFileName::parse(bad)) << bad;
  }
}

TEST(ChartYaml, KeepsWhatAnIndexRepeats) {
  const auto metadata = parse_chart_yaml(
      "apiVersion: v2\nname: storage\nversion: 1.2.0\nappVersion: 1.10\ndeprecated: true\nkeywords: [x]\n"
      "dependencies:\n- {name: redis, version: ^1, condition: redis.enabled, tags: [a]}\nannotations: {a: b}\n");
  EXPECT_EQ(metadata,
            (Json{{"apiVersion", "v2"},
                  {"name", "storage"},
                  {"version", "1.2.0"},
                  {"appVersion", "1.10"},
                  {"deprecated", true},
                  {"dependencies", {{{"name", "redis"}, {"version", "^1"}, {"condition", "redis.enabled"}}}}}));
  for (const auto* bad : {"[]", "a", "name: a\nversion: 1.0.0\n", "apiVersion: v3\nname: a\nversion: 1.0.0\n",
                          "apiVersion: v2\nname: ../a\nversion: 1.0.0\n", "apiVersion: v2\nname: a\nversion: '1'\n"}) {
    EXPECT_EQ(code_of([&] { parse_chart_yaml(bad); }), ErrorCode::package_malformed) << bad;
  }
}

TEST(ChartYaml, ALicenceIsThatOfArtifactHubsAnnotation) {
  const std::string yaml = "apiVersion: v2\nname: a\nversion: 1.0.0\n";
  EXPECT_EQ(annotated_license(yaml + "annotations:\n  artifacthub.io/license: Apache-2.0\n"), "Apache-2.0");
  EXPECT_EQ(annotated_license(yaml), "");
  for (const auto* other : {"annotations: x\n", "annotations: [artifacthub.io/license]\n",
                            "annotations: {artifacthub.io/license: [MIT]}\n", "license: MIT\n"})
    EXPECT_EQ(annotated_license(yaml + other), "") << other;
  EXPECT_EQ(annotated_license(yaml + "annotations: {artifacthub.io/license: " + std::string(1001, 'x') + "}\n"), "");
  EXPECT_EQ(annotated_license(yaml + "annotations: {artifacthub.io/license: " + std::string(300, 'x') + "}\n"),
            std::string(300, 'x'));
  EXPECT_EQ(annotated_license(yaml + "annotations:\n  artifacthub.io/license: |\n    The Weird\n      License\n"),
            "The Weird License");
  EXPECT_EQ(annotated_license("[]"), "");
}

class ChartInspection : public testing::Test {
 protected:
  /// tar makes a chart of these files; NAME/… as they stand.
  Inspection inspect(const std::vector<std::pair<std::string, std::string>>& files, Json facts = Json::object()) {
    const TemporaryFolder folder;
    ProcessSpec spec{.argv = {"tar", "-czf", (folder.path() / "chart.tgz").string(), "-C", folder.path().string()}};
    for (const auto& [path, text] : files) {
      fs::create_directories((folder.path() / path).parent_path());
      if (text.starts_with("link:")) {
        fs::create_symlink(text.substr(5), folder.path() / path);
      } else {
        write_file_atomically(folder.path() / path, text);
      }
      spec.argv.push_back(path);
    }
    run_process_checked(spec);
    const auto fd = open_file(folder.path() / "chart.tgz", O_RDONLY);
    Artifact artifact{.kind = "chart", .name = "storage", .version = "1.2.0", .facts = std::move(facts)};
    artifact.files.push_back({RelPath::parse("charts/storage-1.2.0.tgz"), 0, sha256("any"), {}, {}});
    const int fds[] = {fd.get()};
    return ChartInspector().inspect(artifact, fds);
  }
  ErrorCode code(const std::vector<std::pair<std::string, std::string>>& files, Json facts = Json::object()) {
    const auto inspection = inspect(files, std::move(facts));
    return inspection.findings.empty() ? ErrorCode::internal : inspection.findings[0].code;
  }
  const std::string yaml = "apiVersion: v2\nname: storage\nversion: 1.2.0\n";
};

TEST_F(ChartInspection, AcceptsAChartAndTellsItsFacts) {
  const auto inspection = inspect({{"storage/Chart.yaml", yaml + "dependencies: [{name: redis, version: '1'}]\n"},
                                   {"storage/charts/redis/Chart.yaml", "x"},
                                   {"storage/templates/a.yaml", "{{ any }}"}});
  ASSERT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  EXPECT_EQ(inspection.facts["chart"]["name"], "storage");
  EXPECT_EQ(code({{"storage/Chart.yaml", yaml}}, {{"chart", {{"name", "other"}}}}), ErrorCode::package_malformed);
  const auto licensed =
      inspect({{"storage/Chart.yaml", yaml + "annotations: {artifacthub.io/license: MIT}\n"}},
              {{"chart", {{"apiVersion", "v2"}, {"name", "storage"}, {"version", "1.2.0"}}}, {"files", 1}});
  ASSERT_TRUE(licensed.findings.empty()) << licensed.findings[0].message
                                         << ": the facts of an artifact have no licence";
  EXPECT_EQ(licensed.facts["license"], "MIT");
}

TEST_F(ChartInspection, RefusesWhatLiesOrLacks) {
  EXPECT_EQ(code({{"storage/values.yaml", "x"}}), ErrorCode::package_malformed);
  EXPECT_EQ(code({{"other/Chart.yaml", yaml}}), ErrorCode::package_malformed);
  EXPECT_EQ(code({{"storage/Chart.yaml", "apiVersion: v2\nname: storage\nversion: 6.6.6\n"}}),
            ErrorCode::package_malformed);
  EXPECT_EQ(code({{"storage/Chart.yaml", yaml + "dependencies: [{name: redis, version: '1'}]\n"}}),
            ErrorCode::package_malformed);
  EXPECT_EQ(code({{"storage/Chart.yaml", yaml}, {"x/Chart.yaml", yaml}}), ErrorCode::path_unsafe);
  EXPECT_EQ(code({{"storage/Chart.yaml", yaml}, {"storage/l", "link:/etc"}}), ErrorCode::not_regular);
}

}  // namespace
}  // namespace liftlock::helm
