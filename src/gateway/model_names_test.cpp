#include "gateway/model_names.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"

namespace liftlock {
namespace {

class ModelNamesTest : public ::testing::Test {
 protected:
  static std::vector<pool::Settings> settings() {
    pool::Settings gpu;
    gpu.name = "gpu";
    gpu.endpoints = {HttpAddress::parse("http://127.0.0.1:1").value()};
    gpu.models = {{"qwen", "Qwen/Qwen2.5"}};
    return {gpu};
  }
  pool::Pools pools{settings(), std::make_shared<Networks>(std::vector<Network>{})};
};

TEST_F(ModelNamesTest, NamesUrisAndRolesLeadToModels) {
  const ModelNames names({{"cognitive.scout", "local://demo"}, {"cognitive.architect", "pool://gpu/qwen"}}, pools);
  for (const auto* name : {"demo", "demo:latest", "local://demo", "cognitive.scout", "cognitive.scout:latest"}) {
    EXPECT_EQ(names.resolve(name).name, "demo") << name;
    EXPECT_EQ(names.resolve(name).remote, nullptr) << name;
  }
  for (const auto* name : {"gpu/qwen", "pool://gpu/qwen", "cognitive.architect", "gpu/qwen:latest"}) {
    EXPECT_EQ(names.resolve(name).name, "gpu/qwen") << name;
    ASSERT_NE(names.resolve(name).remote, nullptr) << name;
    EXPECT_EQ(names.resolve(name).remote->upstream, "Qwen/Qwen2.5");
  }
  EXPECT_EQ(names.resolve("qwen").remote, nullptr);
}

TEST_F(ModelNamesTest, NothingElseIsFetched) {
  const ModelNames names({}, pools);
  for (const auto* name : {"http://10.0.0.1/model", "hf://org/model", "file:///etc/passwd", "://", "LOCAL://demo"}) {
    EXPECT_EQ(code_of([&] { names.resolve(name); }), ErrorCode::bad_request) << name;
  }
  EXPECT_EQ(code_of([&] { names.resolve("pool://gpu/other"); }), ErrorCode::not_found);
}

TEST_F(ModelNamesTest, ARoleLeadsToAModelOrIsRefused) {
  for (const auto* uri : {"demo", "http://10.0.0.1/x", "pool://gpu/other", "scout"}) {
    EXPECT_EQ(code_of([&] { ModelNames({{"scout", uri}}, pools); }), ErrorCode::config_invalid) << uri;
  }
  EXPECT_EQ(code_of([&] { ModelNames({{"http://x", "local://demo"}}, pools); }), ErrorCode::config_invalid);
}

}  // namespace
}  // namespace liftlock
