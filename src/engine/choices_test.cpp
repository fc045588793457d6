#include "engine/choices.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock::engine {
namespace {

Choice choice(std::string value) {
  return {std::move(value), "sha256:00", parse_time("2026-11-23T06:00:00Z"), "ada(1000)"};
}

TEST(Choices, GoBackStepByStepAndSurviveTheProcess) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "engines.json";
  Choices choices(file);
  EXPECT_EQ(choices.current("gguf"), std::nullopt);
  for (const auto* value : {"a", "b", "b", "c"}) choices.choose("gguf", choice(value));
  choices.choose("ggml", choice("w"));
  Choices other(file);
  EXPECT_EQ(other.current("gguf")->value, "c");
  EXPECT_EQ(other.current("gguf")->actor, "ada(1000)");
  EXPECT_EQ(other.previous("gguf")->value, "b");
  EXPECT_EQ(other.roll_back("gguf").value, "b");
  EXPECT_EQ(choices.current("gguf")->value, "b") << "the other object's change is seen";
  EXPECT_EQ(other.roll_back("gguf").value, "a");
  EXPECT_EQ(code_of([&] { other.roll_back("gguf"); }), ErrorCode::not_found);
  EXPECT_EQ(choices.current("gguf")->value, "a") << "a refused step changes nothing";
}

TEST(Choices, TellTheNamesOfWhatIsInUse) {
  const TemporaryFolder folder;
  Choices choices(folder.path() / "aliases.json");
  EXPECT_TRUE(choices.names_of(choice("a")).empty());
  for (const auto* name : {"ears", "chat", "other"}) choices.choose(name, choice("a"));
  choices.choose("other", choice("b"));
  EXPECT_EQ(choices.names_of(choice("a")), (std::vector<std::string>{"chat", "ears"}));
  EXPECT_EQ(choices.names_of(choice("b")), (std::vector<std::string>{"other"}));
  auto another = choice("a");
  another.digest = "sha256:01";
  EXPECT_TRUE(choices.names_of(another).empty()) << "another content of that id";
}

TEST(Choices, WhatIsGoneIsNotGoneBackTo) {
  const TemporaryFolder folder;
  Choices choices(folder.path() / "engines.json");
  for (const auto* value : {"a", "b", "a", "c"}) choices.choose("gguf", choice(value));
  choices.choose("ggml", choice("a"));
  choices.forget("a");
  EXPECT_EQ(choices.current("ggml"), std::nullopt);
  EXPECT_EQ(choices.roll_back("gguf").value, "b");
  choices.remove("gguf");
  EXPECT_TRUE(choices.all()->empty());
  EXPECT_EQ(code_of([&] { choices.remove("gguf"); }), ErrorCode::not_found);
}

TEST(Choices, OnlyWhatIsInUseStillIsTakenBack) {
  const TemporaryFolder folder;
  Choices choices(folder.path() / "aliases.json");
  choices.choose("chat", choice("a"));
  choices.choose("chat", choice("b"));
  EXPECT_EQ(code_of([&] { choices.take_back("chat", choice("a")); }), ErrorCode::busy);
  choices.take_back("chat", choice("b"));
  EXPECT_EQ(choices.current("chat")->value, "a");
  choices.take_back("chat", choice("a"));
  EXPECT_TRUE(choices.all()->empty());
  EXPECT_EQ(code_of([&] { choices.take_back("chat", choice("a")); }), ErrorCode::busy);
}

TEST(Choices, ADamagedFileIsRefusedAndKept) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "engines.json";
  Choices choices(file);
  for (const auto* text : {"", "{", R"({"format":"liftlock.choices/1","choices":{"gguf":[]}})",
                           R"({"format":"liftlock.choices/1","choices":{"gguf":[{"value":"a"}]}})"}) {
    write_file_atomically(file, text);
    EXPECT_NE(code_of([&] { choices.choose("gguf", choice("b")); }), std::nullopt) << text;
    EXPECT_EQ(read_file(file, 1000), text);
  }
  write_file_atomically(file, R"({"format":"liftlock.choices/2","choices":{}})");
  EXPECT_EQ(code_of([&] { (void)choices.all(); }), ErrorCode::too_new);
}

}  // namespace
}  // namespace liftlock::engine
