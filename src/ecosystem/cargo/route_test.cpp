#include "ecosystem/cargo/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/sample_crates_test.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

using testing::HasSubstr;
using testing::Not;

class CargoRouteTest : public testing::Test {
 protected:
  void add(const std::string& name, const std::string& version, const std::string& bytes,
           const std::string& registry = "registry+https://git.example/rust-lang/crates-io-index") {
    Artifact artifact{.kind = "crate", .name = name, .version = version};
    artifact.facts["registry"] = registry;
    artifact.files.push_back(
        {RelPath::parse("packages/cargo/" + name + "-" + version + ".crate"), bytes.size(), store.put(bytes), {}, {}});
    m_view->artifacts.push_back({std::move(artifact), "demo", 1, {}});
  }
  /// What the catalog holds of each when it was inspected; without, the route has to ask.
  void make() {
    m_environment.inspection = [this](const Artifact& artifact) { return inspection(artifact).facts; };
    route = make_cargo_route(m_view, m_environment);
  }
  Inspection inspection(const Artifact& artifact) const {
    const auto fd = store.open(artifact.files[0].digest);
    const int files[] = {fd.get()};
    return CrateInspector().inspect(artifact, files);
  }

  HttpResponse get(std::string_view path, std::string_view user = {}) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.user = user;
    request.header = [](std::string_view name) { return name == "host" ? "mirror.example:8443" : std::string_view{}; };
    return route->handle(request);
  }
  int status_of(std::string_view path) const {
    try {
      return get(path).status;
    } catch (const Error& error) {
      return error.http_status();
    }
  }
  static std::string body(const HttpResponse& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    return read_all(std::get<FileBody>(response.body).file->get(), 1u << 20, "a body");
  }

  TemporaryFolder m_folder;
  BlobStore store{m_folder.path() / "store"};
  std::shared_ptr<MirrorView> m_view = std::make_shared<MirrorView>();
  RouteEnvironment m_environment{store, {}, {}, {}, "https"};
  std::unique_ptr<const Route> route;
};

TEST_F(CargoRouteTest, ServesTheIndexAndTheCrates) {
  const auto one = sample::crate("Demo-Crate", "1.0.0"),
             two = sample::crate("Demo-Crate", "1.1.0", "[dependencies]\nx = \"1\"\n");
  add("Demo-Crate", "1.0.0", one);
  add("Demo-Crate", "1.1.0", two);
  make();
  const auto index = get("/cargo/de/mo/demo-crate");
  const auto text = body(index);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  const auto last = Json::parse(text.substr(text.find('\n') + 1));
  EXPECT_EQ(last["name"], "Demo-Crate");
  EXPECT_EQ(last["vers"], "1.1.0");
  EXPECT_EQ(last["deps"][0]["name"], "x");
  EXPECT_EQ(last["cksum"], sha256(two).hex());
  EXPECT_THAT(index.headers, testing::Contains(testing::Pair("ETag", "\"" + sha256(text).hex() + "\"")));
  const auto download = get("/cargo/crates/Demo-Crate/1.0.0/download");
  EXPECT_EQ(body(download), one);
  EXPECT_EQ(download.audit_subject, sha256(one).text());
}

TEST_F(CargoRouteTest, TellsWhereDownloadsAreAsTheClientReachedUs) {
  make();
  EXPECT_EQ(Json::parse(body(get("/cargo/config.json"))), (Json{{"dl", "https://mirror.example:8443/cargo/crates"}}));
  EXPECT_EQ(Json::parse(body(get("/cargo/config.json", "build-server")))["auth-required"], true);
}

TEST_F(CargoRouteTest, SaysNotFoundWhereCargoExpectsIt) {
  add("demo", "1.0.0", sample::crate("demo", "1.0.0"));
  add("broken", "1.0.0", "no crate at all");
  make();
  EXPECT_EQ(status_of("/cargo/de/mo/demo"), 200);
  for (const auto* path : {"/cargo/", "/cargo/de/mo/other", "/cargo/de/mo/Demo", "/cargo/xx/mo/demo",
                           "/cargo/br/ok/broken", "/cargo/crates/demo/1.0.1/download", "/cargo/crates/demo/1.0.0",
                           "/cargo/crates/demo/1.0.0/x", "/cargo/crates/", "/cargo/crates//1.0.0/download"}) {
    EXPECT_EQ(status_of(path), 404) << path;
  }
}

TEST_F(CargoRouteTest, ServesTheNewerOfTwoContents) {
  const auto newer = sample::crate("demo", "1.0.0", "", {{"more", "x"}});
  add("demo", "1.0.0", sample::crate("demo", "1.0.0"));
  add("demo", "1.0.0", newer);
  make();
  EXPECT_EQ(body(get("/cargo/crates/demo/1.0.0/download")), newer);
  EXPECT_THAT(body(get("/cargo/de/mo/demo")), HasSubstr(sha256(newer).hex()));
}

TEST_F(CargoRouteTest, OpensNoCrateForTheIndexOfWhatWasInspected) {
  const auto bytes = sample::crate("demo", "1.0.0", "[dependencies]\nx = \"1\"\n");
  add("demo", "1.0.0", bytes);
  make();
  store.remove(sha256(bytes));
  EXPECT_THAT(body(get("/cargo/de/mo/demo")), HasSubstr("\"name\":\"x\""));
}

TEST_F(CargoRouteTest, AsksACellForWhatCameInBeforeItsInspectorSaidEnough) {
  add("demo", "1.0.0", sample::crate("demo", "1.0.0"));
  int asked = 0;
  bool broken = true;
  m_environment.inspection = [](const Artifact&) { return Json::object(); };
  m_environment.inspect = [&](const Artifact& artifact) -> Json {
    ++asked;
    if (broken) fail(ErrorCode::inspection_failed, "the cell has no memory left");
    return inspection(artifact).facts;
  };
  route = make_cargo_route(m_view, m_environment);
  EXPECT_EQ(status_of("/cargo/de/mo/demo"), 404);
  broken = false;
  EXPECT_EQ(status_of("/cargo/de/mo/demo"), 200) << "a failure is not kept";
  EXPECT_EQ(status_of("/cargo/de/mo/demo"), 200);
  EXPECT_EQ(asked, 2);
}

TEST_F(CargoRouteTest, ReplacesEveryRegistryThatItHoldsCratesOf) {
  add("demo", "1.0.0", sample::crate("demo", "1.0.0"));
  add("house", "1.0.0", sample::crate("house", "1.0.0"), "sparse+https://crates.example/index/");
  make();
  const auto text = route->client_configuration("https://mirror.example:8443");
  EXPECT_THAT(text, HasSubstr("[source.crates-io]\nreplace-with = \"liftlock\"\n"));
  EXPECT_THAT(text, HasSubstr("registry = \"sparse+https://mirror.example:8443/cargo/\"\n"));
  EXPECT_THAT(text, HasSubstr("registry = \"sparse+https://crates.example/index/\"\nreplace-with = \"liftlock\"\n"));
  EXPECT_THAT(text, Not(HasSubstr("git.example")));
}

}  // namespace
}  // namespace liftlock::cargo
