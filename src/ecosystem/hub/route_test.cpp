// The hub, asked directly; tests/interop/hub_online_test.sh lets the real huggingface_hub ask it.
#include "ecosystem/hub/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/hub/hub_path.hpp"
#include "os/file.hpp"

namespace liftlock::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string k_commit(40, 'a');

TEST(HubPath, ReadsWhatClientsAsk) {
  EXPECT_THAT(read_hub_path("api/models/org/tiny"), ElementsAre(HubRequest{Asks::info, "org/tiny", "main", ""}));
  EXPECT_THAT(read_hub_path("api/models/org/tiny/revision/refs%2Fpr%2F1"),
              ElementsAre(HubRequest{Asks::info, "org/tiny", "refs/pr/1", ""}));
  EXPECT_THAT(read_hub_path("api/models/org/tiny/tree/main/a/b"),
              ElementsAre(HubRequest{Asks::tree, "org/tiny", "main", "a/b"}));
  EXPECT_THAT(read_hub_path("org/tiny/resolve/main/a/b%20c"),
              ElementsAre(HubRequest{Asks::file, "org/tiny", "main", "a/b c"}));
  EXPECT_THAT(read_hub_path("gpt2/resolve/main/config.json"),
              ElementsAre(HubRequest{Asks::file, "gpt2", "main", "config.json"}));
  // Of "ORG/NAME" or of "NAME": who is there decides.
  EXPECT_THAT(read_hub_path("api/models/gpt2/refs"),
              ElementsAre(HubRequest{Asks::info, "gpt2/refs", "main", ""}, HubRequest{Asks::refs, "gpt2", "main", ""}));
  EXPECT_THAT(read_hub_path("api/datasets/org/words/revision/v1"),
              ElementsAre(HubRequest{Asks::info, "org/words", "v1", "", Holds::dataset}));
  EXPECT_THAT(read_hub_path("datasets/org/words/resolve/main/data/a.csv"),
              ElementsAre(HubRequest{Asks::file, "org/words", "main", "data/a.csv", Holds::dataset}));
  EXPECT_THAT(read_hub_path("datasets/squad/resolve/main/a.csv"),
              ElementsAre(HubRequest{Asks::file, "squad", "main", "a.csv", Holds::dataset}));
  EXPECT_THAT(read_hub_path("api/datasets"), ElementsAre(HubRequest{Asks::list, "", "main", "", Holds::dataset}));
}

TEST(HubPath, ReadsNothingElse) {
  for (const auto* path :
       {"", "x", "api/spaces/org/tiny", "spaces/a/b/resolve/main/x", "datasets", "api/models/../x", "api/models/-a/b",
        "api/models/a/b/c/d", "org/tiny/resolve/main", "org/tiny/blob/main/x", "org/%zz/resolve/main/x",
        "datasets/resolve/main/x", "datasets/a/b/c/resolve/main/x", "api/models/a%2Fb%2Fc"}) {
    EXPECT_THAT(read_hub_path(path), IsEmpty()) << path;
  }
}

class HubRouteTest : public testing::Test {
 protected:
  HubRouteTest() : m_store(m_folder.path() / "store") {
    auto view = std::make_shared<MirrorView>();
    Artifact tiny{.kind = "model", .name = "tiny", .version = "aaaaaaaaaaaa", .license = "apache-2.0"};
    tiny.facts = {{"repository", "org/tiny"}, {"commit", k_commit}};
    add(tiny, "config.json", "{\"a\":1}");
    tiny.files.back().evidence.push_back({"git-oid", {{"sha1", std::string(40, 'b')}}});
    add(tiny, "sub/deep/model.safetensors", "weights");
    tiny.files.push_back({RelPath::parse("models/tiny/withheld.gguf"), 5, sha256("gone!"), {}, {}});
    Artifact own{.kind = "model", .name = "own", .version = "1"};
    add(own, "own.gguf", "GGUF");
    Artifact words{.kind = "dataset", .name = "words", .version = "1", .license = "cc-by-4.0"};
    words.facts = {{"repository", "org/tiny"}, {"commit", std::string(40, 'd')}};
    words.files.push_back({RelPath::parse("datasets/words/data/a.csv"), 4, m_store.put("a,b\n"), {}, {}});
    view->artifacts = {{words, "demo", 1, Timestamp(std::chrono::seconds(1'700'000'000))},
                       {tiny, "demo", 1, Timestamp(std::chrono::seconds(1'700'000'000))},
                       {own, "demo", 1, Timestamp(std::chrono::seconds(1'700'000'000))}};
    m_route = make_hub_route(view, RouteEnvironment{m_store, {}, {}, {}});
  }
  void add(Artifact& artifact, const std::string& path, const std::string& content) {
    artifact.files.push_back(
        {RelPath::parse("models/" + artifact.name + "/" + path), content.size(), m_store.put(content), {}, {}});
  }
  HttpResponse get(std::string_view path, std::string_view query = {}) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.query = query;
    request.header = [](std::string_view) { return std::string_view{}; };
    return m_route->handle(request);
  }
  Json json(std::string_view path, std::string_view query = {}) const {
    const auto response = get(path, query);
    EXPECT_EQ(response.status, 200) << path;
    return parse_json(std::get<std::string>(response.body));
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  static std::vector<std::string> paths(const Json& tree) {
    std::vector<std::string> out;
    for (const auto& entry : tree) out.push_back(entry["path"]);
    return out;
  }

  TemporaryFolder m_folder;
  BlobStore m_store;
  std::unique_ptr<const Route> m_route;
};

TEST_F(HubRouteTest, TellsWhatAModelIs) {
  const auto info = json("/hf/api/models/org/tiny");
  EXPECT_EQ(info["id"], "org/tiny");
  EXPECT_EQ(info["sha"], k_commit);
  EXPECT_EQ(info["siblings"].size(), 2u);  // not what was withheld
  EXPECT_EQ(info["cardData"]["license"], "apache-2.0");
  for (const auto* revision : {"main", "aaaaaaaaaaaa", k_commit.c_str()}) {
    EXPECT_EQ(json("/hf/api/models/org/tiny/revision/" + std::string(revision))["sha"], k_commit);
  }
  EXPECT_EQ(json("/hf/api/models").size(), 2u);
  EXPECT_EQ(json("/hf/api/models", "search=TIN&limit=5")[0]["id"], "org/tiny");
  EXPECT_EQ(json("/hf/api/models", "author=local")[0]["id"], "local/own");
}

TEST_F(HubRouteTest, ListsTreesAndRefs) {
  EXPECT_THAT(paths(json("/hf/api/models/org/tiny/tree/main", "recursive=True")),
              ElementsAre("config.json", "sub", "sub/deep", "sub/deep/model.safetensors"));
  EXPECT_THAT(paths(json("/hf/api/models/org/tiny/tree/main")), ElementsAre("config.json", "sub"));
  EXPECT_THAT(paths(json("/hf/api/models/org/tiny/tree/main/sub/deep")), ElementsAre("sub/deep/model.safetensors"));
  const auto tree = json("/hf/api/models/org/tiny/tree/main", "recursive=1");
  EXPECT_EQ(tree[0]["oid"], std::string(40, 'b'));
  EXPECT_FALSE(tree[0].contains("lfs"));
  EXPECT_EQ(tree[3]["lfs"]["oid"], sha256("weights").hex());
  EXPECT_FALSE(tree[3].contains("xetHash"));
  EXPECT_EQ(json("/hf/api/models/org/tiny/refs")["branches"][0]["targetCommit"], k_commit);
}

TEST_F(HubRouteTest, ServesFilesWithTheHeadersThatClientsWant) {
  const auto small = get("/hf/org/tiny/resolve/main/config.json");
  EXPECT_EQ(header(small, "X-Repo-Commit"), k_commit);
  EXPECT_EQ(header(small, "ETag"), '"' + std::string(40, 'b') + '"');
  EXPECT_EQ(header(small, "X-Linked-Size"), "");
  EXPECT_EQ(small.audit_subject, sha256("{\"a\":1}").text());
  const auto large = get("/hf/org/tiny/resolve/" + k_commit + "/sub/deep/model.safetensors");
  EXPECT_EQ(header(large, "X-Linked-ETag"), '"' + sha256("weights").hex() + '"');
  EXPECT_EQ(header(large, "X-Linked-Size"), "7");
  EXPECT_EQ(header(large, "X-Xet-Hash"), "");
}

TEST_F(HubRouteTest, SaysWhatIsMissing) {
  const auto code = [&](std::string_view path) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    return header(response, "X-Error-Code");
  };
  EXPECT_EQ(code("/hf/api/models/org/none"), "RepoNotFound");
  EXPECT_EQ(code("/hf/api/datasets/local/own"), "RepoNotFound") << "it is a model";
  EXPECT_EQ(code("/hf/api/models/org/words"), "RepoNotFound");
  EXPECT_EQ(code("/hf/datasets/org/tiny/resolve/main/config.json"), "EntryNotFound");
  EXPECT_EQ(code("/hf/org/none/resolve/main/config.json"), "RepoNotFound");
  EXPECT_EQ(code("/hf/org/tiny/resolve/v9/config.json"), "RevisionNotFound");
  EXPECT_EQ(code("/hf/api/models/org/tiny/tree/v9"), "RevisionNotFound");
  EXPECT_EQ(code("/hf/org/tiny/resolve/main/none.json"), "EntryNotFound");
  EXPECT_EQ(code("/hf/org/tiny/resolve/main/withheld.gguf"), "EntryNotFound");
  EXPECT_EQ(code("/hf/api/models/org/tiny/tree/main/additional_chat_templates"), "EntryNotFound");
  EXPECT_EQ(header(get("/hf/org/tiny/resolve/main/none.json"), "X-Repo-Commit"), k_commit);
}

TEST_F(HubRouteTest, KeepsDataSetsApartFromModels) {
  const auto info = json("/hf/api/datasets/org/tiny");
  EXPECT_EQ(info["id"], "org/tiny");
  EXPECT_EQ(info["sha"], std::string(40, 'd'));
  EXPECT_FALSE(info.contains("modelId"));
  EXPECT_EQ(json("/hf/api/models/org/tiny")["sha"], k_commit);
  EXPECT_EQ(json("/hf/api/datasets").size(), 1u);
  EXPECT_THAT(paths(json("/hf/api/datasets/org/tiny/tree/main", "recursive=1")), ElementsAre("data", "data/a.csv"));
  EXPECT_EQ(json("/hf/api/datasets/org/tiny/refs")["tags"][0]["name"], "1");
  const auto file = get("/hf/datasets/org/tiny/resolve/main/data/a.csv");
  EXPECT_EQ(header(file, "X-Repo-Commit"), std::string(40, 'd'));
  EXPECT_EQ(header(file, "X-Linked-ETag"), '"' + sha256("a,b\n").hex() + '"');
}

TEST_F(HubRouteTest, TellsClientsHowToAsk) {
  EXPECT_THAT(m_route->client_configuration("http://m:1"), HasSubstr("HF_ENDPOINT=http://m:1/hf\n"));
}

}  // namespace
}  // namespace liftlock::hub
