#include "ecosystem/hub/repository.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/hub/git_oid.hpp"

namespace liftlock::hub {
namespace {

const std::string k_commit(40, 'a');

Artifact model(std::string name, std::string version, std::vector<std::string> paths) {
  Artifact out{.kind = "model", .name = std::move(name), .version = std::move(version)};
  for (const auto& path : paths) {
    out.files.push_back({RelPath::parse("models/" + out.name + "/" + path), path.size(), sha256(path), {}, {}});
  }
  return out;
}

Artifact from_hub(std::vector<std::string> paths) {
  auto out = model("tiny", "aaaaaaaaaaaa", std::move(paths));
  out.facts = {{"source", "hf"}, {"repository", "org/tiny"}, {"commit", k_commit}};
  return out;
}

TEST(GitOid, IsWhatGitSays) {
  EXPECT_EQ(git_blob_oid("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");  // git hash-object --stdin
  EXPECT_EQ(git_blob_oid(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(lfs_pointer(sha256(""), 0),
            "version https://git-lfs.github.com/spec/v1\n"
            "oid sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nsize 0\n");
}

TEST(HubRepository, KeepsTheNameAndTheCommitOfAHub) {
  const auto place = place_of(from_hub({"config.json"}));
  EXPECT_EQ(place.repository, "org/tiny");
  EXPECT_EQ(place.commit, k_commit);
  EXPECT_FALSE(place.revision);
}

TEST(HubRepository, NamesTheSitesOwnModelsAfterTheirContent) {
  const auto one = place_of(model("my+model", "1", {"a.gguf"}));
  EXPECT_EQ(one.repository, "local/my-model");
  EXPECT_EQ(one.commit.size(), 40u);
  EXPECT_EQ(place_of(model("my+model", "2", {"a.gguf"})).commit, one.commit);
  EXPECT_NE(place_of(model("my+model", "1", {"b.gguf"})).commit, one.commit);
  EXPECT_TRUE(is_repository(place_of(model("..x", "1", {"a"})).repository));
}

TEST(HubRepository, BelievesNoFactsThatNoHubWouldState) {
  for (const auto& [repository, commit] : std::vector<std::pair<std::string, std::string>>{
           {"../x", k_commit}, {"a/b/c", k_commit}, {"", k_commit}, {"org/tiny", "main"}, {"org/\n", k_commit}}) {
    auto artifact = model("tiny", "1", {"a"});
    artifact.facts = {{"repository", repository}, {"commit", commit}};
    EXPECT_EQ(place_of(artifact).repository, "local/tiny") << repository;
  }
  auto artifact = model("tiny", "1", {"a"});
  artifact.facts = {{"repository", 3}, {"commit", Json::array()}};
  EXPECT_EQ(place_of(artifact).repository, "local/tiny");
}

TEST(HubRepository, NamesBlobsAsTheHubDid) {
  auto artifact = from_hub({"config.json", "sub/model.safetensors"});
  artifact.files[0].evidence.push_back({"git-oid", {{"sha1", std::string(40, 'b')}}});
  const auto files = files_of(artifact);
  EXPECT_EQ(files.at("config.json").blob_name, std::string(40, 'b'));
  EXPECT_FALSE(files.at("config.json").is_lfs());
  EXPECT_EQ(files.at("sub/model.safetensors").blob_name, sha256("sub/model.safetensors").hex());
  EXPECT_TRUE(files.at("sub/model.safetensors").is_lfs());
  artifact.files[0].evidence = {{"git-oid", {{"sha1", "../../etc/passwd"}}}};
  EXPECT_TRUE(files_of(artifact).at("config.json").is_lfs());
}

TEST(HubRepository, JoinsModelsOfOneCommitAndMovesMain) {
  Repository repository;
  const auto first = from_hub({"q4.gguf"});
  repository.add(first, place_of(first), Timestamp(std::chrono::seconds(1)));
  const auto second = from_hub({"q8.gguf"});
  repository.add(second, place_of(second), Timestamp(std::chrono::seconds(2)));
  EXPECT_EQ(repository.find("main")->snapshot->files.size(), 2u);
  auto third = from_hub({"q4.gguf"});
  third.facts["commit"] = std::string(40, 'c');
  third.facts["revision"] = "v2";
  third.version = "cccccccccccc";
  repository.add(third, place_of(third), Timestamp(std::chrono::seconds(3)));
  EXPECT_EQ(repository.find("main")->commit, std::string(40, 'c'));
  EXPECT_EQ(repository.find("v2")->commit, std::string(40, 'c'));
  EXPECT_EQ(repository.find("aaaaaaaaaaaa")->commit, k_commit);
  EXPECT_EQ(repository.find(k_commit)->snapshot->files.size(), 2u);
  EXPECT_FALSE(repository.find("v3"));
}

}  // namespace
}  // namespace liftlock::hub
