#include "ecosystem/ollama/defaults.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock::ollama {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Files = std::map<std::string, std::string, std::less<>>;

Defaults of(const Files& files) {
  std::vector<std::string> paths{"tiny.gguf"};
  for (const auto& [path, text] : files) paths.push_back(path);
  return defaults_of(paths, [&](std::string_view path) { return files.find(path)->second; });
}

TEST(Defaults, AreThoseOfTheLayers) {
  const auto defaults =
      of({{"ollama/system", "Be terse."},
          {"ollama/params", R"({"temperature":0.6,"stop":["User:"]})"},
          {"ollama/messages", R"([{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}])"}});
  EXPECT_EQ(defaults.system, "Be terse.");
  EXPECT_EQ(defaults.params, Json({{"temperature", 0.6}, {"stop", Json::array({"User:"})}}));
  EXPECT_THAT(defaults.messages, ElementsAre(Pair("user", "hi"), Pair("assistant", "ho")));
  EXPECT_EQ(words_of(defaults), "system prompt, 2 parameters, 2 messages");
}

TEST(Defaults, AreThoseOfAModelfileWhereTheFolderHasNone) {
  const std::string modelfile = "FROM ./tiny.gguf\nSYSTEM Be kind.\nPARAMETER top_k 7\nMESSAGE user hi\n";
  const auto alone = of({{"Modelfile", modelfile}});
  EXPECT_EQ(alone.system, "Be kind.");
  EXPECT_EQ(alone.params, Json({{"top_k", 7}}));
  EXPECT_THAT(alone.messages, ElementsAre(Pair("user", "hi")));
  const auto both = of({{"Modelfile", modelfile}, {"ollama/system", "Be terse."}});
  EXPECT_EQ(both.system, "Be terse.");
  EXPECT_EQ(both.params, Json({{"top_k", 7}}));
  EXPECT_TRUE(of({{"Modelfile", "FROM ./other.gguf\nSYSTEM Be kind.\n"}}).empty()) << "it is of another model";
}

TEST(Defaults, WhatIsNotWhatItShouldBeIsAbsent) {
  EXPECT_TRUE(of({}).empty());
  EXPECT_EQ(words_of(of({})), "");
  EXPECT_TRUE(of({{"ollama/params", "[1]"}}).empty());
  EXPECT_TRUE(of({{"ollama/params", R"({"a":1,"a":2})"}}).empty());
  EXPECT_TRUE(of({{"ollama/params", std::string(40, '[')}}).empty());
  EXPECT_TRUE(of({{"ollama/system", "\xff"}}).empty());
  EXPECT_TRUE(of({{"Modelfile", "FROM"}}).empty());
  for (const auto* messages : {"{}", "[1]", R"([{"role":"tool","content":"x"}])",
                               R"([{"role":"user","content":"x"},{}])", R"([{"role":1,"content":"x"}])"})
    EXPECT_THAT(of({{"ollama/messages", messages}}).messages, IsEmpty()) << messages;
}

TEST(Defaults, AFileThatCannotBeReadIsAnError) {
  const std::vector<std::string> paths{"ollama/system"};
  EXPECT_EQ(code_of([&] {
              defaults_of(paths, [](std::string_view) -> std::string { fail(ErrorCode::blob_corrupt, "changed"); });
            }),
            ErrorCode::blob_corrupt);
}

}  // namespace
}  // namespace liftlock::ollama
