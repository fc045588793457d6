#include "ecosystem/helm/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/helm/chart_manifest.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/helm/registry_route.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "os/file.hpp"

namespace liftlock::helm {
namespace {

class ChartRouteTest : public testing::Test {
 protected:
  void add(const std::string& name, const std::string& version, std::uint64_t sequence, const std::string& bytes) {
    Artifact artifact{.kind = "chart", .name = name, .version = version};
    artifact.files.push_back({RelPath::parse(path_in_bundle(name, version)), bytes.size(), store.put(bytes), {}, {}});
    artifact.facts = {{"chart", {{"apiVersion", "v2"}, {"name", name}, {"version", version}}}, {"files", 1}};
    view->artifacts.push_back({std::move(artifact), "demo", sequence, Timestamp(std::chrono::hours(sequence))});
  }
  void add_image(const std::string& name) {
    const std::string config = "{}";
    const auto manifest =
        dump_json_line({{"schemaVersion", 2},
                        {"mediaType", oci::media::oci_manifest},
                        {"config", {{"mediaType", "application/json"}, {"digest", sha256(config).text()}, {"size", 2}}},
                        {"layers", Json::array()}});
    Artifact image{.kind = "image", .name = name, .version = "1"};
    image.facts = {
        {"ref", "registry.example/" + name + ":1"},
        {"manifest",
         {{"mediaType", oci::media::oci_manifest}, {"digest", sha256(manifest).text()}, {"size", manifest.size()}}},
        {"platforms", Json::array()},
        {"left_out", Json::array()},
        {"referrers", Json::array()}};
    for (const auto& bytes : {config, manifest}) {
      image.files.push_back(
          {RelPath::parse("images/blobs/sha256/" + sha256(bytes).hex()), bytes.size(), store.put(bytes), {}, {}});
    }
    view->artifacts.push_back({std::move(image), "demo", 1, {}});
  }
  HttpResponse get(std::string_view path) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.header = [](std::string_view) { return std::string_view(); };
    if (path.starts_with("/v2/")) return make_chart_registry_route(view, environment)->handle(request);
    return make_chart_route(view, environment)->handle(request);
  }
  static std::string shared_text(const HttpResponse& response) {
    return *std::get<std::shared_ptr<const std::string>>(response.body);
  }

  TemporaryFolder folder;
  BlobStore store{folder.path()};
  RouteEnvironment environment{store, {}, {}, {}};
  std::shared_ptr<MirrorView> view = std::make_shared<MirrorView>();
};

TEST_F(ChartRouteTest, ServesAnIndexAndTheArchivesThatItNames) {
  add("storage", "1.2.0", 1, "one");
  add("storage", "1.10.0", 2, "two");
  add("storage", "1.2.0", 3, "newer");
  const auto index = parse_json(*std::get<std::shared_ptr<const std::string>>(get("/charts/index.yaml").body));
  EXPECT_EQ(index["apiVersion"], "v1");
  EXPECT_EQ(index["generated"], "1970-01-01T03:00:00Z");
  ASSERT_EQ(index["entries"]["storage"].size(), 2u);
  const auto& entry = index["entries"]["storage"][1];
  EXPECT_EQ(entry["version"], "1.2.0");
  EXPECT_EQ(entry["urls"], Json::array({"storage-1.2.0.tgz"}));
  EXPECT_EQ(entry["created"], "1970-01-01T03:00:00Z");
  EXPECT_EQ(std::get<FileBody>(get("/charts/storage-1.2.0.tgz").body).size, 5u) << "the newer publication's";
  for (const auto* path : {"/charts/", "/charts/storage-1.3.0.tgz", "/charts/x/index.yaml", "/charts"}) {
    EXPECT_THROW(get(path), Error) << path;
  }
}

TEST_F(ChartRouteTest, TwoChartsWhoseFilesHaveOneNameAreBothServed) {
  add("demo", "1.0.0-2.0.0", 1, "the prerelease");
  add("demo-1.0.0", "2.0.0", 2, "another chart");
  const auto index = parse_json(*std::get<std::shared_ptr<const std::string>>(get("/charts/index.yaml").body));
  for (const auto& [name, bytes] : {std::pair("demo", "the prerelease"), {"demo-1.0.0", "another chart"}}) {
    const auto url = index["entries"][name][0]["urls"][0].get<std::string>();
    const auto body = get("/charts/" + url).body;
    EXPECT_EQ(read_all(std::get<FileBody>(body).file->get(), 100, "a chart"), bytes) << url;
  }
}

TEST_F(ChartRouteTest, IsARepositoryWithoutCharts) {
  const auto index = parse_json(*std::get<std::shared_ptr<const std::string>>(get("/charts/index.yaml").body));
  EXPECT_EQ(index["entries"], Json::object());
}

TEST_F(ChartRouteTest, IsARegistryOfChartsAsHelmPushesThem) {
  add("storage", "1.2.0+site.1", 1, "one");
  add("storage", "1.10.0", 2, "two");
  const auto answer = get("/v2/charts/storage/manifests/1.2.0_site.1");
  ASSERT_EQ(answer.status, 200);
  const auto bytes = shared_text(answer);
  EXPECT_EQ(shared_text(get("/v2/charts/storage/manifests/" + sha256(bytes).text())), bytes);
  EXPECT_EQ(make_chart_manifest(view->artifacts[0].artifact).bytes, bytes) << "the same chart gives the same bytes";
  const auto manifest = std::get<oci::Manifest>(oci::parse_manifest(bytes, oci::media::oci_manifest));
  EXPECT_EQ(manifest.config.media_type, "application/vnd.cncf.helm.config.v1+json");
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].media_type, "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
  const auto config = parse_json(shared_text(get("/v2/charts/storage/blobs/" + manifest.config.digest.text())));
  EXPECT_EQ(config["version"], "1.2.0+site.1");
  const auto layer = get("/v2/charts/storage/blobs/" + manifest.layers[0].digest.text()).body;
  EXPECT_EQ(read_all(std::get<FileBody>(layer).file->get(), 100, "a chart"), "one");
  const auto tags = parse_json(std::get<std::string>(get("/v2/charts/storage/tags/list").body));
  EXPECT_EQ(tags, Json({{"name", "charts/storage"}, {"tags", {"1.10.0", "1.2.0_site.1"}}}));
}

TEST_F(ChartRouteTest, InTheRegistryTheNewerPublicationCountsToo) {
  add("storage", "1.2.0", 1, "one");
  add("storage", "1.2.0", 2, "newer");
  EXPECT_NE(shared_text(get("/v2/charts/storage/manifests/1.2.0")).find(sha256("newer").text()), std::string::npos);
  EXPECT_EQ(get("/v2/charts/storage/blobs/" + sha256("one").text()).status, 404);
}

TEST_F(ChartRouteTest, WhatIsNoChartIsNotInTheRegistry) {
  add("Upper", "1.0.0", 1, "x");
  add("gone", "1.0.0", 1, "gone");
  view->artifacts[1].artifact.files[0].digest = sha256("something else");
  add("odd", "1.0.0", 1, "odd");
  view->artifacts[2].artifact.facts = {{"chart", "text"}};
  for (const auto* path : {"Upper/manifests/1.0.0", "gone/manifests/1.0.0", "nosuch/manifests/1", "", "x",
                           "odd/manifests/2", "odd/blobs/sha256:0", "odd/referrers/x"}) {
    EXPECT_GE(get(std::string("/v2/charts/") + path).status, 400) << path;
  }
  EXPECT_EQ(get("/v2/charts/odd/manifests/1.0.0").status, 400) << "and not a crash";
}

TEST_F(ChartRouteTest, AnImageThatIsCalledLikeThatIsServedStill) {
  add("storage", "1.2.0", 1, "one");
  add_image("charts/other");
  add_image("charts/storage/plugin");
  EXPECT_EQ(get("/v2/charts/other/manifests/1").status, 200);
  EXPECT_EQ(get("/v2/charts/storage/plugin/manifests/1").status, 200) << "below the name of a chart";
  EXPECT_EQ(get("/v2/charts/storage/manifests/1.2.0").status, 200);
  EXPECT_EQ(get("/v2/charts/nothing/manifests/1").status, 404);
}

}  // namespace
}  // namespace liftlock::helm
