// The package index, asked directly and by a real pip over the real server.
#include "ecosystem/pypi/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/pypi/simple_page.hpp"
#include "net/server.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;
using testing::Not;

class PypiRouteTest : public testing::Test {
 protected:
  PypiRouteTest() {
    run_process_checked(
        {.argv = {"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/pypi/testdata/make_wheelhouse.py", m_folder.path()},
         .input = {},
         .set_environment = {},
         .unset_environment = {},
         .working_folder = {}});
    auto view = std::make_shared<MirrorView>();
    add(*view, "top-level", "1.0", "top_level-1.0-py3-none-any.whl");
    add(*view, "dep-one", "1.2", "dep_one-1.2-py3-none-any.whl");
    add(*view, "dep-two", "0.5", "dep_two-0.5-py3-none-any.whl");
    m_environment = std::make_unique<RouteEnvironment>(RouteEnvironment{store, {}, {}, {}});
    route = make_pypi_route(view, *m_environment);
  }

  void add(MirrorView& view, const std::string& name, const std::string& version, const std::string& filename) {
    const auto bytes = read_file(m_folder.path() / "wheels" / filename, 1u << 20);
    Artifact artifact{.kind = "wheel", .name = name, .version = version};
    artifact.files.push_back({RelPath::parse("packages/pypi/" + filename), bytes.size(), store.put(bytes), {}, {}});
    view.artifacts.push_back({std::move(artifact), "demo", 1, {}});
  }

  HttpResponse get(std::string_view path, std::string_view accept = {}) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.header = [accept](std::string_view name) { return name == "accept" ? accept : std::string_view{}; };
    return route->handle(request);
  }
  static std::string body(const HttpResponse& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&response.body)) return **shared;
    const auto& file = std::get<FileBody>(response.body);
    return read_all(file.file->get(), 1u << 20, "a body");
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }

  TemporaryFolder m_folder;
  BlobStore store{m_folder.path() / "store"};
  std::unique_ptr<RouteEnvironment> m_environment;
  std::unique_ptr<const Route> route;
};

class PypiSpellingsTest : public PypiRouteTest {
 protected:
  void spelled(const std::string& filename, const std::string& version, int hour, const std::string& bytes) {
    Artifact artifact{.kind = "wheel", .name = "foo-bar", .version = version};
    artifact.files.push_back({RelPath::parse("packages/pypi/" + filename), bytes.size(), store.put(bytes), {}, {}});
    view->artifacts.push_back({std::move(artifact), "demo", 1, Timestamp(std::chrono::hours(hour))});
  }
  std::string page() {
    route = make_pypi_route(view, *m_environment);
    return body(get("/simple/foo-bar/"));
  }
  std::shared_ptr<MirrorView> view = std::make_shared<MirrorView>();
};

// The views are in the mirror's order: by id, which says nothing of age.
TEST_F(PypiSpellingsTest, OfTwoNamesThatAreOneWheelTheNewerIsServed) {
  spelled("Foo_Bar-1.0-py3-none-any.whl", "1.0", 3, "newer");
  spelled("foo_bar-1.0-py2-none-any.whl", "1.0", 1, "another wheel");
  spelled("foo.bar-1.0.0-py3-none-any.whl", "1.0.0", 2, "older");
  const auto first = page();
  EXPECT_THAT(first, HasSubstr("Foo_Bar-1.0-py3-none-any.whl"));
  EXPECT_THAT(first, HasSubstr("foo_bar-1.0-py2-none-any.whl"));
  EXPECT_THAT(first, Not(HasSubstr("foo.bar")));
  view->artifacts[2].published_at = Timestamp(std::chrono::hours(4));
  const auto second = page();
  EXPECT_THAT(second, HasSubstr("foo.bar-1.0.0-py3-none-any.whl"));
  EXPECT_THAT(second, Not(HasSubstr("Foo_Bar")));
}

TEST_F(PypiSpellingsTest, TwoNamesOfTheSameContentAreBothServed) {
  spelled("Foo_Bar-1.0-py3-none-any.whl", "1.0", 1, "the same");
  spelled("foo.bar-1.0.0-py3-none-any.whl", "1.0.0", 2, "the same");
  EXPECT_THAT(page(), HasSubstr("Foo_Bar"));
  EXPECT_THAT(page(), HasSubstr("foo.bar"));
  spelled("foo_bar-1.0.0.0-py3-none-any.whl", "1.0.0.0", 3, "newer");
  const auto last = page();
  EXPECT_THAT(last, HasSubstr("foo_bar-1.0.0.0-py3-none-any.whl"));
  EXPECT_THAT(last, Not(HasSubstr("Foo_Bar")));
  EXPECT_THAT(last, Not(HasSubstr("foo.bar")));
}

TEST_F(PypiRouteTest, ListsProjectsInTheFormThatIsAskedFor) {
  const auto html = get("/simple/");
  EXPECT_EQ(header(html, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(body(html), HasSubstr("<a href=\"top-level/\">top-level</a>"));
  const auto json = Json::parse(body(get("/simple/", "application/vnd.pypi.simple.v1+json")));
  EXPECT_EQ(json["meta"]["api-version"], "1.1");
  EXPECT_EQ(json["projects"].size(), 3u);
}

TEST_F(PypiRouteTest, DescribesFilesAsPep691And700Say) {
  const auto json = Json::parse(body(get("/simple/top-level/", "application/vnd.pypi.simple.v1+json")));
  EXPECT_EQ(json["versions"], Json({"1.0"}));
  const auto& file = json["files"][0];
  EXPECT_EQ(file["filename"], "top_level-1.0-py3-none-any.whl");
  EXPECT_EQ(file["requires-python"], ">=3.7,<4");
  const auto wheel = get("/simple/top-level/" + file["url"].get<std::string>());
  EXPECT_EQ(sha256(body(wheel)).hex(), file["hashes"]["sha256"]);
  EXPECT_EQ(body(wheel).size(), file["size"]);
  EXPECT_FALSE(wheel.audit_subject.empty());
  EXPECT_FALSE(file.contains("dist-info-metadata")) << "pip 22.3 breaks on it";
  const auto metadata = body(get("/simple/top-level/top_level-1.0-py3-none-any.whl.metadata"));
  EXPECT_EQ(sha256(metadata).hex(), file["core-metadata"]["sha256"]);
  EXPECT_THAT(metadata, HasSubstr("Name: Top.Level\n"));
  EXPECT_THAT(body(get("/simple/top-level/")), HasSubstr("data-requires-python=\"&gt;=3.7,&lt;4\""));
}

TEST_F(PypiRouteTest, RedirectsNamesThatAreNotNormalised) {
  for (const auto* path : {"/simple/Top.Level/", "/simple/top_level", "/simple/top-level"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 301) << path;
    EXPECT_EQ(header(response, "Location"), "/simple/top-level/") << path;
  }
  for (const auto* path : {"/simple/absent/", "/simple/top-level/x.whl", "/simple/top-level/a/b", "/simple/-/",
                           "/simple/top-level/x.whl.metadata"}) {
    EXPECT_THROW(get(path), Error) << path;
  }
}

TEST(SimpleForm, IsNegotiated) {
  EXPECT_EQ(negotiate_simple_form(""), SimpleForm::html);
  EXPECT_EQ(negotiate_simple_form("*/*"), SimpleForm::html);
  EXPECT_EQ(negotiate_simple_form("text/html,application/xhtml+xml,*/*;q=0.8"), SimpleForm::html);
  EXPECT_EQ(negotiate_simple_form("application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
                                  "text/html; q=0.01"),
            SimpleForm::json);
  EXPECT_EQ(negotiate_simple_form("application/vnd.pypi.simple.v1+json;q=0.1, application/vnd.pypi.simple.v1+html"),
            SimpleForm::html_v1);
  EXPECT_EQ(negotiate_simple_form("text/html;q=0, application/vnd.pypi.simple.latest+json"), SimpleForm::json);
  EXPECT_THROW(negotiate_simple_form("application/vnd.pypi.simple.v2+json"), Error);
  EXPECT_THROW(negotiate_simple_form("text/html;q=0"), Error);
}

TEST_F(PypiRouteTest, ARealPipInstallsFromIt) {
  std::mutex mutex;
  std::vector<std::string> paths;
  HttpServer server({}, [&](const HttpRequest& request) {
    {
      const std::lock_guard lock(mutex);
      paths.emplace_back(request.path);
    }
    return route->handle(request);
  });
  server.start();
  const auto target = m_folder.path() / "installed";
  ProcessSpec spec;
  spec.argv = {
      "python3", "-m", "pip", "install", "--target", target.string(), "--no-cache-dir", "Top_Level[fast]==1.0"};
  spec.set_environment = {{"PIP_CONFIG_FILE", "/dev/null"}, {"PIP_INDEX_URL", server.url() + "/simple/"}};
  spec.unset_environment = {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "http_proxy", "HTTP_PROXY"};
  run_process_checked(spec);
  for (const auto* module : {"top_level", "dep_one", "dep_two"}) EXPECT_TRUE(fs::exists(target / module)) << module;
  server.stop(std::chrono::milliseconds(500));
  EXPECT_THAT(paths, testing::Contains("/simple/dep-one/dep_one-1.2-py3-none-any.whl.metadata"));
}

TEST_F(PypiRouteTest, TellsClientsHowToUseIt) {
  const auto text = route->client_configuration("https://mirror.example:8443");
  EXPECT_THAT(text, HasSubstr("index-url = https://mirror.example:8443/simple/\n"));
  EXPECT_THAT(text, Not(HasSubstr("trusted-host")));
  EXPECT_THAT(route->client_configuration("http://10.0.0.1:80"), HasSubstr("trusted-host = 10.0.0.1:80\n"));
}

}  // namespace
}  // namespace liftlock
