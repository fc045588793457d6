#include "engine/wanted_engines.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "engine/engine_files.hpp"
#include "engine/model_fixture.hpp"

namespace liftlock::engine {
namespace {

using testing::Eq;
using testing::HasSubstr;
using testing::Optional;
using testing_support::ModelFixture;

class WantedEnginesTest : public ::testing::Test {
 protected:
  /// The kind of an artifact with one file, and what inspection learnt of it.
  WantedEngines wanted(const std::string& kind, const std::string& file, const Json& facts = Json::object()) {
    Artifact artifact{.kind = kind, .name = "one", .version = "1"};
    artifact.files.push_back({.path = RelPath::parse("models/one/" + file),
                              .size = 4,
                              .digest = sha256("GGUF"),
                              .origin = {},
                              .evidence = {}});
    fixture.catalog.replace_set("test", {artifact}, {dump_json_line(facts)});
    return wanted_engines(fixture.catalog);
  }
  std::optional<std::string> why(std::string_view format) {
    return why_no_engine(fixture.engines(), Choices(fixture.folder.path() / "engines.json"), format, machine);
  }

  ModelFixture fixture;
  Machine machine{.architecture = "amd64"};
};

TEST_F(WantedEnginesTest, AModelOfSpeechWantsOneForSpeech) {
  const auto speech = wanted("model", "ggml-says.bin", {{"architecture", "whisper"}});
  EXPECT_TRUE(speech.ggml);
  EXPECT_FALSE(speech.gguf);
  const auto text = wanted("model", "one.gguf", {{"architecture", "llama"}});
  EXPECT_TRUE(text.gguf);
  EXPECT_FALSE(text.ggml);
}

TEST_F(WantedEnginesTest, WhatAnotherProgramLoadsWantsNone) {
  EXPECT_FALSE(wanted("model", "pytorch_model.bin").any());
  EXPECT_FALSE(wanted("model", "model.safetensors", {{"architecture", "LlamaForCausalLM"}}).any());
  EXPECT_FALSE(wanted("file", "tool.bin", {{"architecture", "whisper"}}).any());
}

TEST_F(WantedEnginesTest, TheEngineOfOneFormatIsNoneOfTheOther) {
  EXPECT_THAT(why("gguf"), Optional(Eq("no engine is installed for the models that are here")));
  EXPECT_THAT(why("ggml"), Optional(Eq("no engine is installed for the models of speech that are here")));
  fixture.add_engine(LIFTLOCK_STAND_IN, "1", {}, "llama-server");
  EXPECT_THAT(why("gguf"), Optional(HasSubstr("has no list of its files")));
  EXPECT_THAT(why("ggml"), Optional(Eq("no engine is installed for the models of speech that are here")));
}

TEST_F(WantedEnginesTest, AnEngineForSpeechWithItsListIsGoodWhereItRuns) {
  fixture.add_engine(LIFTLOCK_STAND_IN, "1", {}, "whisper-cli");
  EXPECT_THAT(why("ggml"),
              Optional(Eq("the engine for the models of speech that are here has no list of its files, and does "
                          "not start: install it anew")));
  const auto engine = find_engine(fixture.engines(), "tiny");
  write_file_atomically(engine.folder / k_files_file, "{}");
  EXPECT_EQ(why("ggml"), std::nullopt);
  machine.architecture = "arm64";
  EXPECT_THAT(why("ggml"),
              Optional(Eq("the engine for the models of speech that are here cannot run on this machine")));
}

}  // namespace
}  // namespace liftlock::engine
