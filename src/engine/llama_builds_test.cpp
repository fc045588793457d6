#include "engine/llama_builds.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liftlock::engine {
namespace {

// https://github.com/ggml-org/llama.cpp/pull/12343 and /15091: the releases that brought Gemma 3 and gpt-oss.
TEST(LlamaBuilds, SaysSinceWhenAnArchitectureIsKnown) {
  EXPECT_EQ(first_build_with("gemma3")->number, 4875u);
  EXPECT_EQ(first_build_with("gpt-oss")->number, 6096u);
  EXPECT_EQ(who_knows("gemma3"), "llama.cpp knows it since b4875 (2025-03-12)");
}

TEST(LlamaBuilds, AdmitsWhatItDoesNotKnow) {
  for (const auto* name : {"nosuch", "", "GEMMA3", "gptj", "clip"}) EXPECT_FALSE(first_build_with(name)) << name;
  EXPECT_THAT(who_knows("nosuch"),
              testing::MatchesRegex("llama\\.cpp up to b[0-9]+ \\(20..-..-..\\) does not know it either"));
}

}  // namespace
}  // namespace liftlock::engine
