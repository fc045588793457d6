#include "ecosystem/ollama/serving/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/serving/chat_template.hpp"
#include "ecosystem/ollama/serving/store_export.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::ollama {
namespace {

using testing::HasSubstr;

class OllamaModelTest : public testing::Test {
 protected:
  OllamaModelTest() : m_blobs(m_folder.path() / "store") {
    m_artifact.kind = "model";
    m_artifact.name = "tiny";
    m_artifact.version = "1";
    const auto gguf = (m_folder.path() / "tiny.gguf").string();
    ProcessSpec spec;
    spec.argv = {"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_model.py", "gguf", gguf};
    run_process_checked(spec);
    m_gguf = read_file(gguf, 64u << 20);
  }
  void add(const std::string& path, std::string_view content) {
    m_artifact.files.push_back({RelPath::parse("models/tiny/" + path), content.size(), m_blobs.put(content), {}, {}});
  }
  static std::vector<std::string> types(const Model& model) {
    std::vector<std::string> out;
    for (const auto& layer : parse_manifest(model.manifest).layers) out.push_back(layer.media_type);
    return out;
  }

  TemporaryFolder m_folder;
  BlobStore m_blobs;
  Artifact m_artifact;
  std::string m_gguf;
};

TEST_F(OllamaModelTest, IsMadeOfAGguf) {
  add("LICENSE", "do as you like");
  add("tiny.gguf", m_gguf);
  const auto model = make_model(m_artifact, m_blobs);
  EXPECT_EQ(types(model).front(), media::model);
  EXPECT_THAT(types(model), testing::Contains(std::string(media::license)));
  EXPECT_EQ(make_model(m_artifact, m_blobs).manifest, model.manifest);
  const auto manifest = parse_manifest(model.manifest);
  const auto config = parse_json(model.made.at(manifest.config.digest));
  EXPECT_EQ(config["model_family"], "llama");
  EXPECT_EQ(config["model_format"], "gguf");
  for (const auto& layer : manifest.layers) {
    EXPECT_TRUE(model.made.contains(layer.digest) || model.stored.contains(layer.digest)) << layer.media_type;
  }
  EXPECT_EQ(name_of(m_artifact).text(), "tiny:latest");
}

TEST_F(OllamaModelTest, TakesWhatStandsInTheFolderOllama) {
  add("ollama/params", "{\"num_ctx\":4096}");
  add("ollama/template", "{{ .Prompt }}!");
  add("tiny.gguf", m_gguf);
  const auto model = make_model(m_artifact, m_blobs);
  EXPECT_TRUE(model.stored.contains(sha256("{{ .Prompt }}!")));
  EXPECT_EQ(model.made.size(), 1u);  // the config
}

TEST_F(OllamaModelTest, TakesWhatAModelfileSays) {
  add("Modelfile",
      "FROM ./tiny.gguf\nTEMPLATE \"\"\"{{ .Prompt }}?\"\"\"\nSYSTEM Be terse.\nPARAMETER num_ctx 2048\n"
      "PARAMETER stop a\nMESSAGE user hi\nLICENSE free\nADAPTER ./lora.gguf\nPARSER p\n");
  auto another = m_gguf, lora = m_gguf;
  another.back() = 'a';  // of the last tensor
  lora.back() = 'b';
  add("a.gguf", another);
  add("lora.gguf", lora);
  add("tiny.gguf", m_gguf);
  const auto model = make_model(m_artifact, m_blobs);
  EXPECT_THAT(types(model), testing::ElementsAre(std::string(media::model), std::string(media::adapter),
                                                 std::string(media::chat_template), std::string(media::system),
                                                 std::string(media::license), std::string(media::messages),
                                                 std::string(media::params)));
  const auto manifest = parse_manifest(model.manifest);
  EXPECT_EQ(manifest.layers[0].digest, sha256(m_gguf)) << "not the first by its path";
  EXPECT_EQ(manifest.layers[1].digest, sha256(lora));
  EXPECT_EQ(model.made.at(sha256("{{ .Prompt }}?")), "{{ .Prompt }}?");
  EXPECT_TRUE(model.made.contains(sha256("Be terse.")));
  EXPECT_EQ(parse_json(model.made.at(manifest.layers[5].digest)), Json::parse(R"([{"role":"user","content":"hi"}])"));
  EXPECT_EQ(parse_json(model.made.at(manifest.layers[6].digest)), Json::parse(R"({"num_ctx":2048,"stop":["a"]})"));
  EXPECT_EQ(parse_json(model.made.at(manifest.config.digest))["parser"], "p");
  EXPECT_EQ(make_model(m_artifact, m_blobs).manifest, model.manifest);
}

TEST_F(OllamaModelTest, AModelfileYieldsToTheFolderOllamaAndMeansOnlyItsOwnWeights) {
  add("Modelfile", "FROM tiny.gguf\nSYSTEM theirs\nPARAMETER num_ctx 1\n");
  add("ollama/system", "ours");
  add("tiny.gguf", m_gguf);
  const auto model = make_model(m_artifact, m_blobs);
  EXPECT_TRUE(model.stored.contains(sha256("ours")));
  EXPECT_FALSE(model.made.contains(sha256("theirs")));
  EXPECT_THAT(types(model), testing::Contains(std::string(media::params)));
  for (const auto* other : {"FROM llama3\nSYSTEM theirs\n", "nonsense", "FROM tiny.gguf\nSYSTEM \"theirs\n"}) {
    m_artifact.files.clear();
    add("tiny.gguf", m_gguf);
    const auto without = make_model(m_artifact, m_blobs).manifest;
    add("Modelfile", other);
    EXPECT_EQ(make_model(m_artifact, m_blobs).manifest, without) << other;
  }
}

TEST_F(OllamaModelTest, AModelfileWhoseChoiceLeavesNoWeightsIsServedAsWithoutThatChoice) {
  auto projector = m_gguf, clip = m_gguf;
  projector.back() = 'a';  // of the last tensor
  const auto replace = [&](std::string_view text, std::string_view by) {
    const auto at = clip.find(text);
    clip[at - 8] = static_cast<char>(by.size());  // the length stands before it
    clip.replace(at, text.size(), by);
  };
  replace("llama", "clip");
  replace("Liftlock Tiny", "Liftlock Tiny!");
  for (const auto* text : {"FROM ./mmproj.gguf\nSYSTEM s\n", "FROM tiny.gguf\nADAPTER .\nSYSTEM s\n"}) {
    m_artifact.files.clear();
    add("Modelfile", text);
    add("mmproj.gguf", projector);
    add("tiny.gguf", m_gguf);
    const auto model = make_model(m_artifact, m_blobs);
    EXPECT_THAT(types(model), testing::ElementsAre(std::string(media::model), std::string(media::projector),
                                                   std::string(media::system)))
        << text;
    EXPECT_EQ(parse_manifest(model.manifest).layers[0].digest, sha256(m_gguf)) << text;
  }
  // What only the content tells.
  m_artifact.files.clear();
  add("Modelfile", "FROM ./eyes.gguf\nSYSTEM s\n");
  add("eyes.gguf", clip);
  add("tiny.gguf", m_gguf);
  EXPECT_THAT(
      types(make_model(m_artifact, m_blobs)),
      testing::ElementsAre(std::string(media::model), std::string(media::projector), std::string(media::system)));
}

TEST_F(OllamaModelTest, KeepsTheManifestThatItHadInOllama) {
  add("tiny.gguf", m_gguf);
  add("ollama/config", "{ }");
  const Manifest had{{std::string(media::config), sha256("{ }"), 3},
                     {{std::string(media::model), sha256(m_gguf), m_gguf.size()}}};
  const auto bytes = " " + manifest_text(had);  // not as it would be written here
  add("ollama/manifest", bytes);
  const auto model = make_model(m_artifact, m_blobs);
  EXPECT_EQ(model.manifest, bytes);
  EXPECT_TRUE(model.made.empty());
  m_artifact.files.erase(m_artifact.files.begin());
  EXPECT_THROW(make_model(m_artifact, m_blobs), Error);
}

TEST_F(OllamaModelTest, RefusesWhatOllamaCannotLoad) {
  add("model.safetensors", "x");
  EXPECT_FALSE(could_be_model(m_artifact));
  EXPECT_THROW(make_model(m_artifact, m_blobs), Error);
  add("broken.gguf", m_gguf.substr(0, m_gguf.size() / 2));
  EXPECT_TRUE(could_be_model(m_artifact));
  EXPECT_THROW(make_model(m_artifact, m_blobs), Error);
}

TEST_F(OllamaModelTest, StandsInAStoreAsAPullLeavesIt) {
  add("tiny.gguf", m_gguf);
  const auto store = m_folder.path() / "models";
  const auto files = export_to_store(m_blobs, m_artifact, name_of(m_artifact), store, silent_reporter());
  EXPECT_EQ(files.back().path, store / "manifests/registry.ollama.ai/library/tiny/latest");
  const auto manifest = parse_manifest(read_file(files.back().path, 4096));
  EXPECT_EQ(read_file(store / "blobs" / ("sha256-" + sha256(m_gguf).hex()), 64u << 20), m_gguf);
  EXPECT_TRUE(fs::exists(store / "blobs" / ("sha256-" + manifest.config.digest.hex())));
  EXPECT_NO_THROW(export_to_store(m_blobs, m_artifact, parse_name("team/tiny:2"), store, silent_reporter()));
  EXPECT_TRUE(fs::exists(store / "manifests/registry.ollama.ai/team/tiny/2"));
}

TEST(OllamaTemplate, IsOfAFormatThatIsKnownOrNone) {
  EXPECT_EQ(known_template("{{ '<|im_start|>' + role }}")->family, "chatml");
  EXPECT_EQ(known_template("<|start_header_id|>")->family, "llama-3");
  EXPECT_EQ(known_template("<start_of_turn>model")->family, "gemma");
  EXPECT_EQ(known_template("[INST] x [/INST]")->family, "mistral");
  EXPECT_FALSE(known_template(""));
  EXPECT_FALSE(known_template("{{ 'User: ' + content }}"));
}

}  // namespace
}  // namespace liftlock::ollama
