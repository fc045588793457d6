#include "engine/stored_engines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"
#include "engine/model_fixture.hpp"

namespace liftlock::engine {
namespace {

using testing_support::ModelFixture;

/// As EngineCollector names it.
Artifact package(const std::string& engine, const std::string& variant, const std::string& version) {
  Artifact out;
  out.kind = "engine";
  out.name = variant == "cpu" ? engine : engine + "-" + variant;
  out.version = version;
  out.facts = {{"engine", engine}, {"variant", variant}};
  const auto path = fmt::format("engines/{}-{}-{}.tar", engine, version, variant);
  out.files.push_back({.path = RelPath::parse(path), .size = path.size(), .digest = sha256(path), .origin = path});
  return out;
}

class StoredEngines : public testing::Test {
 protected:
  void hold(const std::vector<Artifact>& artifacts) {
    fixture.catalog.replace_set("engines", artifacts, std::vector<std::string>(artifacts.size()));
  }
  std::string found(const std::string& name) {
    const auto package = find_stored_engine(fixture.catalog, name);
    return package ? package->id() : "";
  }
  ModelFixture fixture;
};

TEST_F(StoredEngines, AVariantIsFoundByTheNameThatItIsInstalledAs) {
  hold({package("llamavk", "vulkan", "1"), package("llamavk", "vulkan", "2"), package("whisper", "cpu", "1")});
  EXPECT_EQ(found("llamavk-vulkan"), "engine:llamavk-vulkan@2");
  EXPECT_EQ(found("llamavk"), "engine:llamavk-vulkan@2");
  EXPECT_EQ(found("engine:llamavk-vulkan@1"), "engine:llamavk-vulkan@1");
  EXPECT_EQ(found("whisper"), "engine:whisper@1");
  EXPECT_EQ(found("llama"), "");
  EXPECT_EQ(found("vulkan"), "");
  EXPECT_EQ(stored_engines(fixture.catalog).size(), 3u);
}

TEST_F(StoredEngines, NumbersInVersionsCountAsNumbers) {
  hold({package("llama", "cpu", "8941+dfsg-1"), package("llama", "cpu", "10470+dfsg-1"),
        package("vk", "vulkan", "b9999"), package("vk", "vulkan", "b10000")});
  EXPECT_EQ(found("llama"), "engine:llama@10470+dfsg-1");
  EXPECT_EQ(found("vk-vulkan"), "engine:vk-vulkan@b10000");
  EXPECT_EQ(found("vk"), "engine:vk-vulkan@b10000");
}

TEST_F(StoredEngines, OfSeveralContentsTheOneThatLandedLastIsTaken) {
  for (const std::uint64_t sequence : {1, 2}) {
    auto artifact = package("llama", "cpu", "1");
    artifact.files[0].digest = sha256(std::to_string(sequence));
    fixture.catalog.publish({.channel = "demo",
                             .sequence = sequence,
                             .bundle_digest = sha256("bundle" + std::to_string(sequence)),
                             .bundle_json = "{}",
                             .published_at = parse_time("2026-11-23T06:00:00Z"),
                             .artifacts = {artifact},
                             .other_files = {}});
  }
  for (const auto* name : {"engine:llama@1", "llama"}) {
    const auto package = find_stored_engine(fixture.catalog, name);
    ASSERT_TRUE(package);
    EXPECT_EQ(package->files[0].digest, sha256(std::string("2"))) << name;
  }
}

TEST_F(StoredEngines, AnInstalledOneIsFoundByTheSameOrder) {
  const auto program = fixture.folder.path() / "program";
  write_file_atomically(program, "a program");
  for (const auto* version : {"10470", "8941"}) fixture.add_engine(program, version);
  EXPECT_EQ(find_engine(fixture.engines(), "tiny").manifest.version, "10470");
  EXPECT_EQ(find_engine(fixture.engines(), "tiny/8941-cpu").manifest.version, "8941");
}

TEST_F(StoredEngines, OfSeveralVariantsOneIsNamed) {
  hold({package("llama", "vulkan", "1"), package("llama", "cuda12", "1")});
  try {
    (void)find_stored_engine(fixture.catalog, "llama");
    ADD_FAILURE() << "which one?";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::ambiguous);
    EXPECT_EQ(error.hint(), "name one of llama-cuda12, llama-vulkan");
  }
  hold({package("llama", "vulkan", "1"), package("llama", "cuda12", "1"), package("llama", "cpu", "1")});
  EXPECT_EQ(found("llama"), "engine:llama@1") << "the name of an artifact wins";
}

}  // namespace
}  // namespace liftlock::engine
