#include "ecosystem/go/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ecosystem/go/module_path.hpp"
#include "ecosystem/go/module_zip.hpp"
#include "os/file.hpp"

namespace liftlock::go {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

class GoRouteTest : public testing::Test {
 protected:
  void add(const std::string& path, const std::string& version,
           std::vector<std::string> ends = {"info", "mod", "zip"}) {
    Artifact artifact{.kind = "go-module", .name = path, .version = version};
    for (const auto& end : ends) {
      const auto bytes = end == "info" ? info_of(version) : path + version + end;
      artifact.files.push_back(
          {RelPath::parse("packages/go/" + escape_module(path) + "/@v/" + escape_module(version) + "." + end),
           bytes.size(),
           store.put(bytes),
           {},
           {}});
    }
    m_view->artifacts.push_back({std::move(artifact), "demo", 1, {}});
    route = make_go_route(m_view, m_environment);
  }
  HttpResponse get(std::string_view path) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    return route->handle(request);
  }
  std::string text(std::string_view path) const {
    const auto response = get(path);
    if (const auto* body = std::get_if<std::string>(&response.body)) return *body;
    return read_all(std::get<FileBody>(response.body).file->get(), 1u << 20, "a body");
  }
  int status_of(std::string_view path) const {
    try {
      return get(path).status;
    } catch (const Error& error) {
      return error.http_status();
    }
  }

  TemporaryFolder m_folder;
  BlobStore store{m_folder.path() / "store"};
  std::shared_ptr<MirrorView> m_view = std::make_shared<MirrorView>();
  RouteEnvironment m_environment{store, {}, {}, {}, "http"};
  std::unique_ptr<const Route> route;
};

TEST_F(GoRouteTest, SpeaksTheProtocolOfModuleProxies) {
  add("github.com/BurntSushi/toml", "v1.10.0");
  add("github.com/BurntSushi/toml", "v1.9.0");
  add("github.com/BurntSushi/toml", "v1.11.0-rc.1");
  add("github.com/BurntSushi/toml", "v1.8.0", {"info", "mod"});
  const std::string base = "/go/github.com/!burnt!sushi/toml";
  EXPECT_EQ(text(base + "/@v/list"), "v1.9.0\nv1.10.0\nv1.11.0-rc.1\n") << "what is not whole is none to choose";
  EXPECT_EQ(text(base + "/@latest"), R"({"Version":"v1.10.0"})");
  EXPECT_EQ(text(base + "/@v/v1.9.0.info"), R"({"Version":"v1.9.0"})");
  EXPECT_EQ(text(base + "/@v/v1.8.0.mod"), "github.com/BurntSushi/tomlv1.8.0mod");
  EXPECT_EQ(text(base + "/@v/v1.11.0-rc.1.zip"), "github.com/BurntSushi/tomlv1.11.0-rc.1zip");
  EXPECT_FALSE(get(base + "/@v/v1.9.0.zip").audit_subject.empty());
}

TEST_F(GoRouteTest, AnswersWithPseudoVersionsWhereThereIsNothingElse) {
  add("example.test/a", "v0.0.0-20161208181325-20d25e280405");
  add("example.test/a", "v0.0.0-20201208181325-20d25e280405");
  EXPECT_EQ(text("/go/example.test/a/@v/list"), "");
  EXPECT_THAT(text("/go/example.test/a/@latest"), HasSubstr("20201208181325"));
}

TEST_F(GoRouteTest, SaysNotFoundSoThatGoStops) {
  add("github.com/BurntSushi/toml", "v1.8.0", {"info", "mod"});
  for (const auto* path :
       {"/go/", "/go/github.com/BurntSushi/toml/@v/list", "/go/github.com/!burnt!sushi/other/@v/list",
        "/go/github.com/!burnt!sushi/toml/@v/v1.8.0.zip", "/go/github.com/!burnt!sushi/toml/@v/v1.8.1.mod",
        "/go/github.com/!burnt!sushi/toml/@v/", "/go/github.com/!burnt!sushi/toml/@v/v1.8.0",
        "/go/github.com/!burnt!sushi/toml/@latest", "/go/sumdb", "/go/a!"}) {
    EXPECT_EQ(status_of(path), 404) << path;
  }
}

// go asks the database outside after 404 and 410 alone (cmd/go/internal/modfetch/sumdb.go, initBase), and shows what is
// said in plain text alone.
TEST_F(GoRouteTest, SaysOfAChecksumDatabaseThatItCannotBeHadSoThatGoDoesNotLookOutside) {
  add("example.test/a", "v1.0.0");
  for (const auto* path : {"/go/sumdb/sum.example/supported", "/go/sumdb/sum.example/lookup/example.test/a@v1.0.0",
                           "/go/sumdb/sum.example/tile/8/0/000"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 403) << path;
    EXPECT_THAT(response.headers, Contains(Pair("Content-Type", "text/plain; charset=utf-8"))) << path;
    EXPECT_THAT(text(path), HasSubstr("GOSUMDB=off")) << path;
  }
}

TEST_F(GoRouteTest, AGoModOfOneStackDoesNotHideTheZipOfAnother) {
  add("example.test/a", "v1.0.0");
  add("example.test/a", "v1.0.0", {"info", "mod"});
  EXPECT_EQ(status_of("/go/example.test/a/@v/v1.0.0.zip"), 200);
  EXPECT_THAT(route->client_configuration("http://m.example"), HasSubstr("GOPROXY=http://m.example/go\nGOSUMDB=off\n"));
}

}  // namespace
}  // namespace liftlock::go
