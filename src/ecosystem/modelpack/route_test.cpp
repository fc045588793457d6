// Models as OCI artifacts; tests/interop/hub_test.sh lets skopeo copy one.
#include "ecosystem/modelpack/route.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/modelpack/modelpack.hpp"
#include "ecosystem/oci/made_registry.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "ecosystem/oci/reference.hpp"
#include "os/file.hpp"

namespace liftlock::modelpack {
namespace {

class ModelpackTest : public testing::Test {
 protected:
  ModelpackTest() : m_blobs(m_folder.path() / "store") {
    m_model.kind = "model";
    m_model.name = "Tiny_LLM";
    m_model.version = "1.0";
    m_model.license = "apache-2.0";
    add("LICENSE", "as you like");
    add("config.json", "{}");
    add("sub/model.safetensors", "weights");
  }
  void add(const std::string& path, const std::string& content) {
    m_model.files.push_back({RelPath::parse("models/Tiny_LLM/" + path), content.size(), m_blobs.put(content), {}, {}});
  }
  HttpResponse get(std::string_view path) const {
    auto view = std::make_shared<MirrorView>();
    view->artifacts.push_back({m_model, "demo", 1, {}});
    const auto route = make_modelpack_route(view, RouteEnvironment{m_blobs, {}, {}, {}});
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.header = [](std::string_view) { return std::string_view{}; };
    return route->handle(request);
  }

  TemporaryFolder m_folder;
  BlobStore m_blobs;
  Artifact m_model;
};

TEST_F(ModelpackTest, IsAManifestThatStrictReadersTake) {
  const auto made = make_modelpack(m_model);
  const auto manifest = std::get<oci::Manifest>(oci::parse_manifest(made.bytes, oci::media::oci_manifest));
  EXPECT_EQ(manifest.artifact_type, media::artifact);
  EXPECT_EQ(manifest.config.media_type, media::config);
  ASSERT_EQ(manifest.layers.size(), 3u);
  EXPECT_EQ(manifest.layers[0].media_type, media::doc);
  EXPECT_EQ(manifest.layers[1].media_type, media::weight_config);
  EXPECT_EQ(manifest.layers[2].media_type, media::weight);
  EXPECT_EQ(manifest.layers[2].annotation("org.cncf.model.filepath"), "sub/model.safetensors");
  EXPECT_EQ(manifest.layers[2].annotation("org.opencontainers.image.title"), "sub/model.safetensors") << "for oras";
  const auto config = parse_json(made.made.at(manifest.config.digest));
  EXPECT_EQ(config["config"]["format"], "safetensors");
  EXPECT_EQ(config["descriptor"]["licenses"][0], "apache-2.0");
  EXPECT_EQ(config["modelfs"]["diffIds"].size(), 3u);
  EXPECT_EQ(make_modelpack(m_model).bytes, made.bytes);
}

TEST_F(ModelpackTest, IsServedUnderANameThatRegistriesAllow) {
  EXPECT_EQ(get("/v2/modelpack/tiny-llm/manifests/latest").status, 200);
  EXPECT_EQ(get("/v2/modelpack/tiny-llm/manifests/1.0").status, 200);
  EXPECT_EQ(get("/v2/modelpack/tiny-llm/blobs/" + sha256("weights").text()).status, 200);
  EXPECT_EQ(get("/v2/modelpack/Tiny_LLM/manifests/latest").status, 404);
  EXPECT_EQ(get("/v2/modelpack/tiny-llm/blobs/" + sha256("other").text()).status, 404);
}

TEST_F(ModelpackTest, ItsNameAndItsTagAreSuchAsRegistriesAllow) {
  EXPECT_EQ(repository_name(m_model), "tiny-llm");
  EXPECT_EQ(tag_of(m_model), "1.0");
  m_model.name = "--Qwen2.5 7B (Instruct)";
  m_model.version = "+main/2 b";
  EXPECT_EQ(repository_name(m_model), "qwen2-5-7b-instruct");
  EXPECT_TRUE(oci::is_tag(tag_of(m_model))) << tag_of(m_model);
  m_model.name = std::string(199, 'a') + "_b";
  EXPECT_EQ(repository_name(m_model), std::string(199, 'a')) << "no registry takes a name that ends in '-'";
  m_model.name = "___";
  EXPECT_EQ(repository_name(m_model), "model");
}

TEST_F(ModelpackTest, WhatAnotherToolMadeOfTheSameFilesIsTheModel) {
  auto manifest = parse_json(make_modelpack(m_model).bytes);
  manifest["annotations"]["org.opencontainers.image.created"] = "2026-01-01T00:00:00Z";
  for (auto& layer : manifest["layers"]) layer["annotations"].erase("org.opencontainers.image.title");
  std::reverse(manifest["layers"].begin(), manifest["layers"].end());
  EXPECT_TRUE(has_files_of(dump_json(manifest), m_model));

  auto renamed = manifest;
  renamed["layers"][0]["annotations"]["org.cncf.model.filepath"] = "other.safetensors";
  EXPECT_FALSE(has_files_of(dump_json(renamed), m_model)) << "the same bytes under another name";
  auto changed = manifest;
  changed["layers"][0]["digest"] = sha256("other weights").text();
  EXPECT_FALSE(has_files_of(dump_json(changed), m_model));
  auto twice = manifest;
  twice["layers"].push_back(changed["layers"][0]);
  EXPECT_FALSE(has_files_of(dump_json(twice), m_model)) << "two layers for one path";
  twice["layers"].back() = manifest["layers"][0];
  EXPECT_FALSE(has_files_of(dump_json(twice), m_model)) << "one layer twice";
  auto longer = manifest;
  longer["layers"][0]["size"] = 8;  // "weights" has 7
  EXPECT_FALSE(has_files_of(dump_json(longer), m_model)) << "no client takes such a layer";
  auto less = manifest;
  less["layers"].erase(0);
  EXPECT_FALSE(has_files_of(dump_json(less), m_model));
  auto image = manifest;
  image["config"]["mediaType"] = oci::media::oci_config;
  EXPECT_FALSE(has_files_of(dump_json(image), m_model));
  EXPECT_FALSE(has_files_of("no manifest", m_model));
}

TEST_F(ModelpackTest, AModelWithWithheldFilesIsNotOffered) {
  m_model.files.push_back({RelPath::parse("models/Tiny_LLM/gone.bin"), 4, sha256("gone"), {}, {}});
  EXPECT_EQ(get("/v2/modelpack/tiny-llm/manifests/latest").status, 404);
}

TEST(MadeRegistry, WhatCannotBeMadeIsTriedOnceUnlessItMayBecomeBetter) {
  const TemporaryFolder folder;
  const BlobStore blobs(folder.path());
  int tried = 0;
  auto code = ErrorCode::model_malformed;
  oci::MadeRegistry registry(blobs, "/v2/x/");
  registry.add("broken", {"1"}, [&]() -> oci::MadeManifest {
    ++tried;
    fail(code, "it cannot be made");
  });
  const auto get = [&] {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = "/v2/x/broken/manifests/1";
    return registry.handle(request).status;
  };
  code = ErrorCode::not_found;
  EXPECT_EQ(get(), 400);
  code = ErrorCode::model_malformed;
  EXPECT_EQ(get(), 400);
  EXPECT_EQ(tried, 2) << "a blob may come back";
  EXPECT_EQ(get(), 400);
  EXPECT_EQ(tried, 2);
}

}  // namespace
}  // namespace liftlock::modelpack
