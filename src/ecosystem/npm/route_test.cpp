#include "ecosystem/npm/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/npm/inspector.hpp"
#include "os/file.hpp"

namespace liftlock::npm {
namespace {

using testing::HasSubstr;

constexpr std::string_view k_abbreviated = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";

class NpmRouteTest : public testing::Test {
 protected:
  NpmRouteTest() {
    add("@demo/tool", "1.10.0", 1);
    add("@demo/tool", "1.9.0", 1);
    add("@demo/tool", "2.0.0-rc.1", 2);
    add("left-pad", "1.3.0", 1);
    route = make_npm_route(view, environment);
  }

  void add(const std::string& name, const std::string& version, std::uint64_t sequence,
           const std::string& bytes = "x") {
    Artifact artifact{.kind = "npm", .name = name, .version = version};
    artifact.files.push_back({RelPath::parse(path_in_bundle(name, version)), bytes.size(), store.put(bytes), {}, {}});
    artifact.facts = {{"manifest",
                       {{"name", name},
                        {"version", version},
                        {"description", "Pads on the left"},
                        {"license", "MIT"},
                        {"dependencies", {{"b", "^1"}}}}},
                      {"integrity", "sha512-AA=="},
                      {"shasum", "00"},
                      {"files", 3},
                      {"unpacked_size", 100}};
    if (version == "1.9.0") artifact.facts["deprecated"] = "old";
    view->artifacts.push_back({std::move(artifact), "demo", sequence, Timestamp(std::chrono::hours(sequence))});
  }

  HttpResponse get(std::string_view path, std::map<std::string, std::string> headers = {{"Host", "mirror.test:8480"}},
                   std::string_view query = {}) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.query = query;
    request.header = [&](std::string_view name) {
      const auto found = headers.find(std::string(name));
      return found == headers.end() ? std::string_view() : std::string_view(found->second);
    };
    return route->handle(request);
  }
  Json json(std::string_view path, std::string_view accept = {}) const {
    return parse_json(
        std::get<std::string>(get(path, {{"Host", "mirror.test:8480"}, {"Accept", std::string(accept)}}).body));
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }

  TemporaryFolder folder;
  BlobStore store{folder.path()};
  RouteEnvironment environment{store, {}, {}, {}};
  std::shared_ptr<MirrorView> view = std::make_shared<MirrorView>();
  std::unique_ptr<const Route> route;
};

TEST_F(NpmRouteTest, ServesPackumentsInBothForms) {
  const auto full = json("/npm/@demo/tool");
  EXPECT_EQ(full["dist-tags"]["latest"], "1.10.0") << "by precedence, and no prerelease";
  EXPECT_EQ(full["time"]["2.0.0-rc.1"], "1970-01-01T02:00:00Z");
  EXPECT_EQ(full["license"], "MIT");
  const auto brief = json("/npm/@demo/tool", k_abbreviated);
  EXPECT_FALSE(brief.contains("time"));
  EXPECT_EQ(brief["modified"], "1970-01-01T02:00:00Z");
  const auto& version = brief["versions"]["1.9.0"];
  EXPECT_EQ(version["dependencies"], (Json{{"b", "^1"}}));
  EXPECT_EQ(version["deprecated"], "old");
  EXPECT_FALSE(version.contains("license"));
  EXPECT_EQ(version["dist"]["tarball"], "http://mirror.test:8480/npm/@demo/tool/-/tool-1.9.0.tgz");
  EXPECT_EQ(version["dist"]["integrity"], "sha512-AA==");
  const auto response = get("/npm/left-pad", {{"Host", "h"}, {"Accept", std::string(k_abbreviated)}});
  EXPECT_EQ(header(response, "Content-Type"), "application/vnd.npm.install-v1+json");
  EXPECT_EQ(header(response, "ETag"),
            header(get("/npm/left-pad", {{"Host", "h"}, {"Accept", std::string(k_abbreviated)}}), "ETag"));
  EXPECT_NE(header(response, "ETag"), header(get("/npm/left-pad", {{"Host", "other"}}), "ETag"));
}

TEST_F(NpmRouteTest, LinksAreThoseOfTheServerAsTheClientSeesIt) {
  environment.scheme = "https";
  route = make_npm_route(view, environment);
  EXPECT_EQ(json("/npm/left-pad/1.3.0")["dist"]["tarball"],
            "https://mirror.test:8480/npm/left-pad/-/left-pad-1.3.0.tgz");
  const auto proxied = get("/npm/left-pad/latest", {{"Host", "m"}, {"X-Forwarded-Proto", "http"}});
  EXPECT_THAT(std::get<std::string>(proxied.body), HasSubstr("\"http://m/npm/left-pad"));
  for (const auto* host : {"", "a b", "a/b", "a\"b", "a\r\nX: y", "u@h"}) {
    EXPECT_THROW(get("/npm/left-pad", {{"Host", host}}), Error) << host;
  }
}

TEST_F(NpmRouteTest, ServesTarballsWhateverRegistryALockNames) {
  for (const auto* path : {"/npm/@demo/tool/-/tool-1.9.0.tgz", "/npm/npm/@demo/tool/-/tool-1.9.0.tgz",
                           "/npm/api/npm/repo/@demo/tool/-/tool-1.9.0.tgz"}) {
    const auto response = get(path);
    EXPECT_EQ(std::get<FileBody>(response.body).size, 1u) << path;
    EXPECT_THAT(header(response, "Cache-Control"), HasSubstr("no-cache"));
    EXPECT_FALSE(response.audit_subject.empty());
  }
  EXPECT_EQ(std::get<FileBody>(get("/npm/x/left-pad/-/left-pad-1.3.0.tgz").body).size, 1u);
  for (const auto* path :
       {"/npm/@demo/tool/-/tool-1.0.0.tgz", "/npm/tool/-/tool-1.9.0.tgz", "/npm/@demo/-/tool-1.9.0.tgz",
        "/npm/left-pad/-/", "/npm/absent", "/npm/@demo", "/npm/left-pad/9.9.9", "/npm/left-pad/next",
        "/npm/left-pad/1.3.0/x", "/npm/-/whoami", "/npm/-/npm/v1/security/advisories/bulk"}) {
    EXPECT_THROW(get(path), Error) << path;
  }
}

TEST_F(NpmRouteTest, ServesPingTagsAndSearch) {
  EXPECT_EQ(json("/npm/-/ping"), Json::object());
  EXPECT_EQ(json("/npm/-/package/@demo/tool/dist-tags"), (Json{{"latest", "1.10.0"}}));
  const auto found = parse_json(std::get<std::string>(get("/npm/-/v1/search", {}, "text=PAD&size=1").body));
  EXPECT_EQ(found["total"], 2);
  EXPECT_EQ(found["objects"].size(), 1u);
  EXPECT_EQ(found["objects"][0]["package"]["version"], "1.10.0");
}

TEST_F(NpmRouteTest, TheNewerPublicationCounts) {
  add("left-pad", "1.3.0", 3, "other");
  route = make_npm_route(view, environment);
  EXPECT_EQ(std::get<FileBody>(get("/npm/left-pad/-/left-pad-1.3.0.tgz").body).size, 5u);
}

TEST_F(NpmRouteTest, TellsClientsHowToUseIt) {
  const auto text = route->client_configuration("https://mirror.example:8443");
  EXPECT_THAT(text, HasSubstr("registry=https://mirror.example:8443/npm/\n"));
  EXPECT_THAT(text, HasSubstr("//mirror.example:8443/npm/:_authToken="));
}

}  // namespace
}  // namespace liftlock::npm
