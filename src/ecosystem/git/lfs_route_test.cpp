#include "ecosystem/git/lfs_route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/git/lfs_batch.hpp"
#include "ecosystem/git/route.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

using testing::HasSubstr;

class LfsRouteTest : public testing::Test {
 protected:
  LfsRouteTest() {
    Artifact artifact{.kind = "git", .name = "tool", .version = "1", .license = {}};
    artifact.facts = {{"head", "refs/heads/main"}, {"refs", {{"refs/heads/main", std::string(40, 'a')}}}};
    artifact.files.push_back(
        {RelPath::parse("packages/git/tool.bundle"), 6, store.put("bundle"), "https://git.example/team/tool.git", {}});
    for (const std::string content : {"some weights", "other weights"}) {
      const auto oid = store.put(content);
      artifact.files.push_back({RelPath::parse(lfs_path("tool", oid)), content.size(), oid, {}, {}});
    }
    std::sort(artifact.files.begin(), artifact.files.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    view->artifacts.push_back({std::move(artifact), "demo", 1, Timestamp(std::chrono::hours(1))});
  }
  HttpResponse ask(std::string_view method, std::string_view path, std::string_view body = {},
                   std::map<std::string, std::string> more = {}) const {
    std::map<std::string, std::string> fields = {{"Host", "mirror:8480"}, {"Content-Type", std::string(k_lfs_type)}};
    for (const auto& [name, value] : more) fields[name] = value;
    HttpRequest request{};
    request.method = method;
    request.path = request.raw_path = path;
    request.body = body;
    request.header = [&](std::string_view name) -> std::string_view {
      const auto found = fields.find(std::string(name));
      return found == fields.end() ? std::string_view() : found->second;
    };
    return make_git_route(view, environment)->handle(request);
  }
  static Json json(const HttpResponse& response) { return parse_json(std::get<std::string>(response.body)); }
  static std::string question(const std::string& oid, std::uint64_t size, const std::string& operation = "download") {
    return dump_json_line({{"operation", operation}, {"objects", Json::array({{{"oid", oid}, {"size", size}}})}});
  }

  TemporaryFolder folder;
  BlobStore store{folder.path() / "store"};
  RouteEnvironment environment{.blobs = store, .clearsign = {}, .public_key = {}, .public_key_armored = {}};
  std::shared_ptr<MirrorView> view = std::make_shared<MirrorView>();
  const Digest weights = sha256("some weights");
  const std::string batch = "/git/tool/info/lfs/objects/batch";
};

TEST_F(LfsRouteTest, SaysWhereEachFileIs) {
  for (const auto* at : {"/git/tool", "/git/tool.git", "/git/tool~.git", "/git/-/git.example/team/tool.git"}) {
    const auto response = ask("POST", std::string(at) + "/info/lfs/objects/batch", question(weights.hex(), 12));
    ASSERT_EQ(response.status, 200) << at;
    const auto answer = json(response);
    EXPECT_EQ(answer["transfer"], "basic");
    ASSERT_EQ(answer["objects"].size(), 1u);
    EXPECT_EQ(answer["objects"][0]["oid"], weights.hex());
    EXPECT_EQ(answer["objects"][0]["actions"]["download"]["href"],
              "http://mirror:8480/git/tool/info/lfs/objects/" + weights.hex());
    EXPECT_FALSE(answer["objects"][0].contains("authenticated")) << "the client sends its read token there, too";
  }
  const auto proxied = ask("POST", batch, question(weights.hex(), 12), {{"X-Forwarded-Proto", "https"}});
  EXPECT_THAT(json(proxied)["objects"][0]["actions"]["download"]["href"].get<std::string>(),
              testing::StartsWith("https://mirror:8480/git/tool/"));
  EXPECT_THROW(ask("POST", batch, question(weights.hex(), 12), {{"Host", "a b"}}), Error);
  // What it answers is what our own low side takes, so that a mirror can be an upstream.
  const std::vector<LfsPointer> wanted = {{weights, 12}, {sha256("nothing"), 7}};
  const auto answer = std::get<std::string>(ask("POST", batch, lfs_question(wanted)).body);
  const auto taken = parse_lfs_answer(answer, wanted, LfsScheme::http);
  EXPECT_TRUE(taken.at(0));
  EXPECT_FALSE(taken.at(1));
}

TEST_F(LfsRouteTest, HandsOutTheFile) {
  const auto response = ask("GET", "/git/tool/info/lfs/objects/" + weights.hex());
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(std::get<FileBody>(response.body).size, 12u);
  EXPECT_EQ(response.audit_subject, weights.text());
  EXPECT_THAT(response.headers, testing::Contains(testing::Pair("ETag", "\"" + weights.hex() + "\"")))
      << "what ranges are served by";
  for (const auto& other :
       {sha256("bundle").hex(), sha256("nothing").hex(), weights.hex().substr(1), std::string("..")})
    EXPECT_EQ(ask("GET", "/git/tool/info/lfs/objects/" + other).status, 404) << other;
  EXPECT_EQ(ask("GET", "/git/other/info/lfs/objects/" + weights.hex()).status, 404);
}

TEST_F(LfsRouteTest, AnswersForEachThatIsNotHere) {
  const auto error = [&](const std::string& oid, std::uint64_t size) {
    return json(ask("POST", batch, question(oid, size)))["objects"][0]["error"]["code"].get<int>();
  };
  EXPECT_EQ(error(sha256("nothing").hex(), 1), 404);
  EXPECT_EQ(error(sha256("bundle").hex(), 6), 404) << "the bundle is no file of Git LFS";
  EXPECT_EQ(error(weights.hex(), 13), 422);
  EXPECT_EQ(error("../../etc/passwd", 1), 422);
  EXPECT_EQ(error(std::string(64, 'A'), 1), 422);
}

TEST_F(LfsRouteTest, NobodyUploads) {
  const auto refused = ask("POST", batch, question(weights.hex(), 12, "upload"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(json(refused)["message"].get<std::string>(), HasSubstr("read-only"));
  EXPECT_THAT(refused.headers, testing::Contains(testing::Pair("Content-Type", std::string(k_lfs_type))));
  EXPECT_EQ(ask("POST", "/git/tool/info/lfs/locks/verify", "{}").status, 404) << "there is no locking";
  EXPECT_EQ(ask("POST", "/git/tool/info/lfs/objects/" + weights.hex(), "x").status, 404);
}

TEST_F(LfsRouteTest, RefusesWhatIsNoQuestion) {
  const auto good = question(weights.hex(), 12);
  EXPECT_EQ(ask("GET", batch).status, 405);
  EXPECT_EQ(ask("POST", batch, good, {{"Content-Type", "application/json"}}).status, 415);
  EXPECT_EQ(ask("POST", batch, good, {{"Content-Type", std::string(k_lfs_type) + "; charset=utf-8"}}).status, 200);
  EXPECT_EQ(ask("POST", batch, good, {{"Content-Encoding", "gzip"}}).status, 415);
  EXPECT_EQ(ask("POST", batch, "{").status, 422);
  EXPECT_EQ(ask("POST", batch, "{\"operation\":\"download\",\"hash_algo\":\"sha512\",\"objects\":[]}").status, 409);
  EXPECT_EQ(ask("POST", batch, "{\"operation\":\"download\",\"transfers\":[\"tus\"],\"objects\":[]}").status, 422);
  Json many = {{"operation", "download"}, {"objects", Json::array()}};
  for (std::size_t i = 0; i <= k_max_lfs_asked; ++i) many["objects"].push_back({{"oid", weights.hex()}, {"size", 12}});
  EXPECT_EQ(ask("POST", batch, dump_json_line(many)).status, 413);
  EXPECT_EQ(ask("POST", "/git/other/info/lfs/objects/batch", good).status, 404);
  const auto route = make_git_route(view, environment);
  EXPECT_EQ(route->max_body("POST", batch), k_max_lfs_question);
  EXPECT_EQ(route->max_body("PUT", "/git/tool/info/lfs/objects/" + weights.hex()), 0u);
}

}  // namespace
}  // namespace liftlock::git
