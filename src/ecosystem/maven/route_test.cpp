#include "ecosystem/maven/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

using testing::HasSubstr;

class MavenRouteTest : public testing::Test {
 protected:
  MavenRouteTest() {
    for (const auto* version : {"1.0", "1.1"}) {
      Artifact artifact{.kind = "maven", .name = "example.test:demo", .version = version};
      const std::string bytes = std::string("jar ") + version;
      artifact.files.push_back(
          {RelPath::parse(std::string("packages/maven/example/test/demo/") + version + "/demo-" + version + ".jar"),
           bytes.size(),
           store.put(bytes),
           {},
           {}});
      m_view->artifacts.push_back({std::move(artifact), "demo", 1, {}});
    }
    route = make_maven_route(m_view, m_environment);
  }
  std::string get(std::string_view path) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    const auto response = route->handle(request);
    if (const auto* body = std::get_if<std::string>(&response.body)) return *body;
    return read_all(std::get<FileBody>(response.body).file->get(), 1u << 20, "a body");
  }

  TemporaryFolder m_folder;
  BlobStore store{m_folder.path() / "store"};
  std::shared_ptr<MirrorView> m_view = std::make_shared<MirrorView>();
  RouteEnvironment m_environment{store, {}, {}, {}, "http"};
  std::unique_ptr<const Route> route;
};

TEST_F(MavenRouteTest, ServesFilesVersionsAndChecksums) {
  const std::string base = "/maven/example/test/demo/";
  EXPECT_EQ(get(base + "1.0/demo-1.0.jar"), "jar 1.0");
  EXPECT_EQ(get(base + "1.0/demo-1.0.jar.sha256"), sha256("jar 1.0").hex());
  EXPECT_EQ(get(base + "1.0/demo-1.0.jar.sha1"), "19f694f8032b39047df9b87d5c28a4a734f9db71");
  const auto metadata = get(base + "maven-metadata.xml");
  EXPECT_THAT(metadata, HasSubstr("<version>1.0</version>\n      <version>1.1</version>"));
  EXPECT_EQ(get(base + "maven-metadata.xml.sha256"), sha256(metadata).hex());
}

TEST_F(MavenRouteTest, SaysNotFound) {
  for (const auto* path :
       {"/maven/", "/maven/example/test/demo/1.2/demo-1.2.jar", "/maven/example/test/demo/1.0/demo-1.0.jar.md5",
        "/maven/example/test/other/maven-metadata.xml", "/maven/maven-metadata.xml",
        "/maven/example/test/demo/1.0/x.sha1"}) {
    try {
      get(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.http_status(), 404) << path;
    }
  }
  EXPECT_THAT(route->client_configuration("http://m.example"), HasSubstr("<blocked>false</blocked>"));
}

}  // namespace
}  // namespace liftlock::maven
