#include "ecosystem/rpm/route.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "ecosystem/rpm/repository_index.hpp"
#include "ecosystem/rpm/test_rpms.hpp"

namespace liftlock::rpm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

class RpmRouteTest : public testing::Test {
 protected:
  RpmRouteTest() {
    environment.rsa_public_key_armored = [] { return "the mirror's key\n"; };
    environment.rsa_sign = [](std::string_view text) { return "signature of " + sha256(text).hex(); };
    environment.inspection = [this](const Artifact& artifact) { return inspection(artifact); };
  }

  Json inspection(const Artifact& artifact) const {
    const auto file = store.open(artifact.files[0].digest);
    return RpmInspector().inspect(artifact, std::array{file.get()}).facts;
  }

  MirroredArtifact mirrored(const TestRpm& rpm, std::uint64_t sequence) {
    MirroredArtifact out;
    out.artifact = {.kind = "rpm", .name = rpm.name, .version = rpm.version + "-" + rpm.release};
    out.artifact.facts = {{"architecture", rpm.architecture}};
    const auto bytes = rpm.bytes();
    out.artifact.files.push_back({.path = RelPath::parse("packages/rpm/" + rpm.name + "-" + rpm.version + ".rpm"),
                                  .size = bytes.size(),
                                  .digest = store.put(bytes),
                                  .origin = {},
                                  .evidence = {}});
    out.channel = "prod";
    out.sequence = sequence;
    out.published_at = parse_time("2026-03-04T05:06:07Z") + std::chrono::hours(sequence);
    return out;
  }

  static std::string get(const Route& route, const std::string& path) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    const auto response = route.handle(request);
    if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&response.body)) return **shared;
    return read_all(std::get<FileBody>(response.body).file->get(), 1u << 26, "blob");
  }
  /// "prod/repodata/HEX-primary.xml.gz", as repomd.xml says.
  static std::string place_of(const Route& route, const std::string& type) {
    const auto repomd = get(route, "/rpm/prod/repodata/repomd.xml");
    const auto end = repomd.find("-" + type + ".xml.gz");
    const auto begin = repomd.rfind('"', end) + 1;
    return "/rpm/prod/" + repomd.substr(begin, repomd.find('"', begin) - begin);
  }

  TemporaryFolder folder;
  BlobStore store{folder.path() / "store"};
  RouteEnvironment environment{store, {}, {}, {}};
};

TEST_F(RpmRouteTest, TheIndexIsSignedAndEqualContentGivesEqualBytes) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1), mirrored({.name = "other"}, 1)};
  const auto one = make_rpm_route(view, environment), two = make_rpm_route(view, environment);
  const auto repomd = get(*one, "/rpm/prod/repodata/repomd.xml");
  EXPECT_EQ(repomd, get(*two, "/rpm/prod/repodata/repomd.xml"));
  EXPECT_EQ(get(*one, "/rpm/prod/repodata/repomd.xml.asc"), "signature of " + sha256(repomd).hex());
  EXPECT_EQ(get(*one, "/rpm/prod/repodata/repomd.xml.key"), "the mirror's key\n");
  EXPECT_THAT(repomd, HasSubstr(sha256(get(*one, place_of(*one, "primary"))).hex()));
  EXPECT_EQ(get(*one, "/rpm/prod/Packages/tool-1.0.rpm"), TestRpm{}.bytes());
  EXPECT_THROW(get(*one, "/rpm/prod/Packages/none.rpm"), Error);
  EXPECT_THROW(get(*one, "/rpm/other/repodata/repomd.xml"), Error);
}

TEST_F(RpmRouteTest, TheListsOfThePublicationBeforeStayReachable) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1)};
  const auto before = make_rpm_route(view, environment);
  const auto place = place_of(*before, "primary");
  auto newer = std::make_shared<MirrorView>(*view);
  newer->artifacts.push_back(mirrored({.name = "other"}, 2));
  const auto route = make_rpm_route(newer, environment);
  EXPECT_NE(place_of(*route, "primary"), place);
  EXPECT_EQ(get(*route, place), get(*before, place));
}

TEST_F(RpmRouteTest, WhatIsNoPackageIsLeftOut) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1)};
  auto broken = mirrored({.name = "broken"}, 1);
  broken.artifact.files[0].digest = store.put("no rpm");  // of it the inspector has no facts
  view->artifacts.push_back(broken);
  const auto route = make_rpm_route(view, environment);
  EXPECT_THROW(get(*route, "/rpm/prod/Packages/broken-1.0.rpm"), Error);
  EXPECT_EQ(get(*route, "/rpm/prod/Packages/tool-1.0.rpm"), TestRpm{}.bytes());
}

TEST_F(RpmRouteTest, WhatDoesNotFitIntoTheListsIsLeftOutTheOldestFirst) {
  std::vector<std::string> warnings;
  environment.warn = [&](const std::string& text) { warnings.push_back(text); };
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1), mirrored({.name = "newer"}, 2)};
  const auto whole = make_rpm_route(view, environment);
  EXPECT_EQ(get(*whole, "/rpm/prod/Packages/tool-1.0.rpm"), TestRpm{}.bytes());
  EXPECT_TRUE(warnings.empty());
  const auto listed = indexed_package_from_facts(inspection(view->artifacts[0].artifact).at("lists"));
  const auto route = make_rpm_route_within(listed->size() * 3 / 2, view, environment);
  EXPECT_EQ(get(*route, "/rpm/prod/Packages/newer-1.0.rpm"), TestRpm{.name = "newer"}.bytes());
  EXPECT_THROW(get(*route, "/rpm/prod/Packages/tool-1.0.rpm"), Error);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("1 rpm packages of the channel prod are not served"));
  EXPECT_THAT(route->client_configuration("http://m.example"), HasSubstr("# 1 packages are not served"));
}

TEST_F(RpmRouteTest, NoHeaderIsReadHere) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1)};
  const auto facts = inspection(view->artifacts[0].artifact);
  environment.inspection = [&](const Artifact&) { return facts; };
  store.remove(view->artifacts[0].artifact.files[0].digest);
  const auto route = make_rpm_route(view, environment);
  EXPECT_THAT(get(*route, "/rpm/prod/repodata/repomd.xml"), HasSubstr("primary"));
  EXPECT_GT(get(*route, place_of(*route, "primary")).size(), 0u);
}

TEST_F(RpmRouteTest, WhatCameInWithoutListsIsAskedOfTheCellOnce) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1), mirrored({.name = "other"}, 1)};
  const auto wanted = get(*make_rpm_route(view, environment), "/rpm/prod/repodata/repomd.xml");
  int asked = 0;
  environment.inspection = [](const Artifact&) { return Json{{"license", "MIT"}}; };
  EXPECT_THROW(get(*make_rpm_route(view, environment), "/rpm/prod/Packages/tool-1.0.rpm"), Error);
  environment.inspect = [&](const Artifact& artifact) {
    ++asked;
    return inspection(artifact);
  };
  EXPECT_EQ(get(*make_rpm_route(view, environment), "/rpm/prod/repodata/repomd.xml"), wanted);
  EXPECT_EQ(asked, 2);
  environment.cache_folder = folder.path() / "cache";
  const auto kept = [&] {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(environment.cache_folder / "rpm")) out.push_back(entry.path());
    return out;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(get(*make_rpm_route(view, environment), "/rpm/prod/repodata/repomd.xml"), wanted);
    EXPECT_EQ(asked, 4);
    EXPECT_EQ(kept().size(), 2u);
  }
  write_file_atomically(kept()[0], "{\"sizes\"");
  EXPECT_EQ(get(*make_rpm_route(view, environment), "/rpm/prod/repodata/repomd.xml"), wanted);
  EXPECT_EQ(asked, 5);
  view->artifacts.pop_back();
  make_rpm_route(view, environment);
  EXPECT_EQ(kept().size(), 1u);
}

TEST_F(RpmRouteTest, WhatTheCellRefusesNowIsLeftOut) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1), mirrored({.name = "other"}, 1)};
  environment.inspection = {};
  environment.inspect = [&](const Artifact& artifact) {
    if (artifact.name == "other") fail(ErrorCode::limit_exceeded, "too large");
    return inspection(artifact);
  };
  const auto route = make_rpm_route(view, environment);
  EXPECT_THROW(get(*route, "/rpm/prod/Packages/other-1.0.rpm"), Error);
  EXPECT_EQ(get(*route, "/rpm/prod/Packages/tool-1.0.rpm"), TestRpm{}.bytes());
}

TEST_F(RpmRouteTest, ClientsGetTheMirrorsKeyAndThoseOfUpstreams) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {mirrored({}, 1)};
  auto key = mirrored({}, 1);
  key.artifact.kind = "rpm-key";
  const std::string name = "vendor-" + key.artifact.files[0].digest.hex().substr(0, 16) + ".asc";
  key.artifact.files[0].path = RelPath::parse("packages/rpm/keys/" + name);
  view->artifacts.push_back(key);
  auto other = mirrored({.name = "other"}, 1);  // another channel's, under the same name
  other.artifact.kind = "rpm-key";
  other.artifact.files[0].path = key.artifact.files[0].path;
  other.channel = "test";
  view->artifacts.push_back(other);
  const auto text = make_rpm_route(view, environment)->client_configuration("http://m.example:8480");
  EXPECT_THAT(text, HasSubstr("baseurl=http://m.example:8480/rpm/prod\n"));
  EXPECT_THAT(text, HasSubstr("repo_gpgcheck=1\ngpgcheck=1\npkg_gpgcheck=1\n"));
  EXPECT_THAT(text, HasSubstr("gpgkey=http://m.example:8480/rpm/mirror-key.asc\n"
                              "       http://m.example:8480/rpm/keys/" +
                              name + "\n"));
  EXPECT_EQ(get(*make_rpm_route(view, environment), "/rpm/keys/" + name), TestRpm{}.bytes());
  const auto list = parse_json(get(*make_rpm_route(view, environment), "/rpm/"));
  ASSERT_EQ(list["repositories"].size(), 1u);
  EXPECT_EQ(list["repositories"][0]["name"], "prod");
  EXPECT_EQ(list["repositories"][0]["keys"], Json({"mirror-key.asc", "keys/" + name}));
}

}  // namespace
}  // namespace liftlock::rpm
