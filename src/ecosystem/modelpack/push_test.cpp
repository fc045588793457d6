// Plans of models for a registry; tests/interop/push_test.sh sends them to a real one.
#include "ecosystem/modelpack/push.hpp"

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/modelpack/modelpack.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "net/server.hpp"
#include "os/file.hpp"

namespace liftlock::modelpack {
namespace {

/// A registry that holds manifests and no blobs, and counts what it is asked.
class ManifestRegistry {
 public:
  ManifestRegistry() : m_server(one_thread(), [this](const HttpRequest& request) { return answer(request); }) {
    m_server.start();
  }
  /// @param path "models/tiny-llm/manifests/1.0"
  void put(const std::string& path, std::string manifest) {
    const std::lock_guard lock(m_mutex);
    m_manifests["/v2/" + path] = std::move(manifest);
  }
  std::size_t asked() const {
    const std::lock_guard lock(m_mutex);
    return m_asked;
  }
  RemoteServer address() const {
    return {HttpAddress::parse(m_server.url()).value(),
            std::make_shared<Networks>(std::vector{Network::parse("127.0.0.0/8").value()}),
            {}};
  }

 private:
  static HttpServerOptions one_thread() {
    HttpServerOptions out;
    out.threads = 1;
    return out;
  }
  HttpResponse answer(const HttpRequest& request) {
    const std::lock_guard lock(m_mutex);
    ++m_asked;
    const auto found = m_manifests.find(request.path);
    if (found == m_manifests.end()) return text_response(404, "application/json", "{}");
    auto out = text_response(200, std::string(oci::media::oci_manifest), found->second);
    out.set("Docker-Content-Digest", sha256(found->second).text());
    return out;
  }

  mutable std::mutex m_mutex;
  std::map<std::string, std::string, std::less<>> m_manifests;
  std::size_t m_asked = 0;
  HttpServer m_server;  ///< the last one: its threads use the others
};

class ModelPushTest : public testing::Test {
 protected:
  Artifact model(const std::string& name) {
    Artifact out;
    out.kind = "model";
    out.name = name;
    out.version = "1.0";
    add(out, "README.md", "of " + name);
    add(out, "model.gguf", "weights");
    return out;
  }
  void add(Artifact& model, const std::string& path, const std::string& content) {
    model.files.push_back(
        {RelPath::parse("models/" + model.name + "/" + path), content.size(), m_store.put(content), {}, {}});
  }
  static void add_what_is_withheld(Artifact& model) {
    model.files.push_back({RelPath::parse("models/" + model.name + "/gone.bin"), 4, sha256("gone"), {}, {}});
  }
  std::unique_ptr<PushTarget> target() {
    return make_modelpack_push({.table = "[repository.models]",
                                .access = RepositoryAccess{.server = m_registry.address(), .login = {}, .token = {}},
                                .folder = {},
                                .of_its_kind = {{"prefix", "models"}}},
                               m_store);
  }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path() / "store"};
  ManifestRegistry m_registry;
};

TEST_F(ModelPushTest, WhatIsThereUnderTheTagIsTheModelOrOtherBytes) {
  const auto tiny = model("Tiny_LLM");
  const auto at = "models/tiny-llm:1.0";
  const auto nothing = target()->plan(tiny);
  EXPECT_EQ(nothing->place, at);
  EXPECT_EQ(nothing->lacking, 4u) << "two files, the config and the manifest";
  auto by_others = parse_json(make_modelpack(tiny).bytes);
  by_others["annotations"] = {{"org.opencontainers.image.created", "2026-01-01T00:00:00Z"}};
  m_registry.put("models/tiny-llm/manifests/1.0", dump_json(by_others));
  const auto packed_by_others = target()->plan(tiny);
  EXPECT_TRUE(packed_by_others->is_done());
  EXPECT_EQ(packed_by_others->place, at);
  EXPECT_EQ(packed_by_others->details["repository"], "models/tiny-llm");
  m_registry.put("models/tiny-llm/manifests/1.0", make_modelpack(model("Other")).bytes);
  EXPECT_EQ(target()->plan(tiny)->other, std::vector<std::string>{at});
}

TEST_F(ModelPushTest, AModelOfWhichTheStoreLacksAFileIsLeftOutAndNobodyIsAsked) {
  auto half = model("Tiny_LLM");
  add_what_is_withheld(half);
  const auto one = target();
  const auto left = one->plan(half);
  EXPECT_EQ(left->left_out, "the store does not hold 'models/Tiny_LLM/gone.bin'");
  EXPECT_EQ(left->place, "models/tiny-llm:1.0");
  EXPECT_TRUE(left->is_done()) << "nothing of it is sent";
  EXPECT_EQ(m_registry.asked(), 0u);
  const auto next = one->plan(model("tiny-llm"));
  EXPECT_EQ(next->left_out, "");
  EXPECT_EQ(next->lacking, 4u) << "what does not go has no place";
}

TEST_F(ModelPushTest, AModelOfManyFilesIsKnownAgainAsLongAsRegistriesTakeItsManifest) {
  auto many = model("Tiny_LLM");
  const auto long_path = std::string(190, 'a') + "/" + std::string(190, 'b') + "/" + std::string(190, 'c') + "/";
  const auto add_until = [&](std::size_t bytes) {
    while (make_modelpack(many).bytes.size() <= bytes) {
      for (int i = 0; i < 200; ++i) {
        auto file = many.files.front();
        file.path = RelPath::parse("models/Tiny_LLM/" + long_path + std::to_string(many.files.size()));
        many.files.push_back(std::move(file));
      }
    }
  };
  add_until(1u << 20);
  const auto manifest = make_modelpack(many).bytes;
  ASSERT_LT(manifest.size(), oci::k_max_manifest_bytes);
  m_registry.put("models/tiny-llm/manifests/1.0", manifest);
  const auto again = target()->plan(many);
  EXPECT_EQ(again->left_out, "");
  EXPECT_EQ(again->other, std::vector<std::string>());
  EXPECT_EQ(again->known, 1u) << "its manifest";

  add_until(oci::k_max_manifest_bytes);
  const auto asked = m_registry.asked();
  EXPECT_NE(target()->plan(many)->left_out.find("registries take 4"), std::string::npos)
      << target()->plan(many)->left_out;
  EXPECT_EQ(m_registry.asked(), asked) << "nobody is asked about it";
}

TEST_F(ModelPushTest, TwoModelsOfOneRunThatBecomeOneNameAreTold) {
  const auto first = model("Tiny_LLM"), second = model("tiny-llm");
  const auto one = target();
  EXPECT_EQ(one->plan(first)->rival, "");
  const auto plan = one->plan(second);
  EXPECT_EQ(plan->rival, first.id());
  EXPECT_EQ(plan->other, std::vector<std::string>{"models/tiny-llm:1.0"});
  EXPECT_EQ(target()->plan(second)->lacking, 4u) << "alone it may go";
}

}  // namespace
}  // namespace liftlock::modelpack
