#include "ecosystem/helm/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/helm/inspector.hpp"
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
  HttpResponse get(std::string_view path) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    return make_chart_route(view, environment)->handle(request);
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

}  // namespace
}  // namespace liftlock::helm
