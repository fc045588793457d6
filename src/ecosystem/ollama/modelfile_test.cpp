#include "ecosystem/ollama/modelfile.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock::ollama {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(Modelfile, IsReadAsOllamaReadsIt) {
  const auto file = parse_modelfile(
      "\xef\xbb\xbf# a comment\r\n"
      "from ./tiny.gguf\n"
      "TEMPLATE \"\"\"{{ .System }}\n  {{ .Prompt }} \"quoted\" \"\"\"\n"
      "SYSTEM You are   terse.  \n"
      "PARAMETER temperature 0.5\nPARAMETER  num_ctx 4096\nPARAMETER stop \"<|end|>\"\nPARAMETER stop User:\n"
      "PARAMETER use_mmap false\n"
      "LICENSE \"first\nlicence\"\nLICENSE second\n"
      "MESSAGE user \"hello\nthere\"\nMESSAGE assistant hi\n"
      "ADAPTER ./lora.gguf\nRENDERER r\nPARSER p\nREQUIRES 0.14.0");
  EXPECT_THAT(file.from, ElementsAre("./tiny.gguf"));
  EXPECT_EQ(file.chat_template, "{{ .System }}\n  {{ .Prompt }} \"quoted\" ");
  EXPECT_EQ(file.system, "You are   terse.");
  EXPECT_EQ(file.params,
            Json::parse(R"({"temperature":0.5,"num_ctx":4096,"stop":["<|end|>","User:"],"use_mmap":false})"));
  EXPECT_THAT(file.licenses, ElementsAre("first\nlicence", "second"));
  EXPECT_THAT(file.messages, ElementsAre(Pair("user", "hello\nthere"), Pair("assistant", "hi")));
  EXPECT_THAT(file.adapters, ElementsAre("./lora.gguf"));
  EXPECT_EQ(file.renderer + file.parser + file.needs_version, "rp0.14.0");
  EXPECT_THAT(file.left_out, IsEmpty());
  EXPECT_EQ(words_of(file), "template, system prompt, 4 parameters, 2 messages, 2 licences, 1 adapter");
}

TEST(Modelfile, WhatIsNotKnownIsNamedByItsLine) {
  const auto file = parse_modelfile(
      "FROM x.gguf\nPARAMETER mirostat 1\nPARAMETER num_ctx many\nPARAMETER top_p nan\nPARAMETER top_p 1e999\n"
      "PARAMETER seed 99999999999999999999\nDRAFT ./small.gguf\n");
  EXPECT_TRUE(file.params.empty());
  EXPECT_THAT(file.left_out,
              ElementsAre("line 2: the parameter mirostat is not known here", "line 3: 'many' is no value of num_ctx",
                          "line 4: 'nan' is no value of top_p", "line 5: '1e999' is no value of top_p",
                          "line 6: '99999999999999999999' is no value of seed", "line 7: DRAFT is not known here"));
}

TEST(Modelfile, BrokenOnesAreRefusedWithTheLine) {
  const auto words = [](const std::string& text) {
    try {
      (void)parse_modelfile(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::model_malformed);
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(words(""), HasSubstr("no FROM"));
  EXPECT_THAT(words("FROM x\nRUN rm -rf /\n"), HasSubstr("line 2: 'run' is no instruction"));
  EXPECT_THAT(words("FROM\n"), HasSubstr("line 1"));
  EXPECT_THAT(words("FROM x\nSYSTEM \"\"\"a\nb\nc\"\"\n"), HasSubstr("line 2: the quotes"));
  EXPECT_THAT(words("FROM x\nMESSAGE tool hi\n"), HasSubstr("no role"));
  EXPECT_THAT(words("FROM x\nPARAMETER a-b 1\n"), HasSubstr("line 2"));
  EXPECT_THAT(words("\xff\xfe"
                    "F\0R\0"),
              HasSubstr("UTF-8"));
  EXPECT_EQ(code_of([] { (void)parse_modelfile(std::string(k_max_modelfile + 1, '\n')); }), ErrorCode::limit_exceeded);
  std::string many = "FROM x\n";
  for (int i = 0; i < 10'001; ++i) many += "LICENSE a\n";
  EXPECT_EQ(code_of([&] { (void)parse_modelfile(many); }), ErrorCode::limit_exceeded);
  EXPECT_THAT(words("FROM x\nSYSTEM \"" + std::string(1'000'000, '\n')), HasSubstr("line 2")) << "and soon";
}

TEST(Modelfile, HoldsForTheFilesThatItNames) {
  const std::vector<std::string> paths = {"Modelfile", "b.gguf", "sub/a.gguf", "sub/lora.gguf", "x.safetensors"};
  const auto use = [&](const std::string& text) { return use_of(parse_modelfile(text), paths); };
  EXPECT_THAT(use("FROM ./b.gguf").weights, ElementsAre("b.gguf"));
  EXPECT_THAT(use("FROM sub/a.gguf").weights, ElementsAre("sub/a.gguf"));
  EXPECT_THAT(use("FROM /home/me/models/b.gguf").weights, ElementsAre("b.gguf")) << "as it was called elsewhere";
  EXPECT_THAT(use("FROM ./sub/").weights, ElementsAre("sub/a.gguf", "sub/lora.gguf"));
  EXPECT_EQ(use("FROM .").weights.size(), 3u);
  for (const auto* elsewhere : {"FROM llama3", "FROM ../../etc/passwd", "FROM ./x.safetensors", "FROM /"}) {
    const auto not_used = use(std::string(elsewhere) + "\nPARAMETER nothing 1\n");
    EXPECT_FALSE(not_used.applies) << elsewhere;
    EXPECT_THAT(not_used.notes, ElementsAre(HasSubstr("so nothing of it is used")));
  }
  const auto with_adapter = use("FROM b.gguf\nADAPTER ./sub/lora.gguf\nADAPTER ./gone\n");
  EXPECT_THAT(with_adapter.adapters, ElementsAre("sub/lora.gguf"));
  EXPECT_THAT(with_adapter.notes, ElementsAre(HasSubstr("ADAPTER ./gone names no GGUF")));
}

TEST(Modelfile, NamesEachFileOnceAndAFewAtMost) {
  std::vector<std::string> paths;
  for (int i = 0; i < 1000; ++i) paths.push_back(fmt::format("{}.gguf", i));
  const auto use = use_of(parse_modelfile("FROM .\nFROM ./\nFROM 7.gguf\nADAPTER 1.gguf\nADAPTER ./1.gguf\n"), paths);
  EXPECT_EQ(use.weights.size(), 1000u);
  EXPECT_THAT(use.adapters, ElementsAre("1.gguf"));
  for (const std::string line : {"FROM .\n", "ADAPTER .\n"}) {
    std::string text = "FROM .\n";
    for (int i = 0; i < 9'000; ++i) text += line;
    EXPECT_EQ(code_of([&] { (void)parse_modelfile(text); }), ErrorCode::limit_exceeded) << line;
    EXPECT_THAT(report_on_modelfile(text, paths).notes,
                ElementsAre(HasSubstr("Modelfile is not used: it has more than 16 lines of " + line.substr(0, 4))));
  }
}

TEST(Modelfile, WhoseChoiceLeavesNoWeightsChoosesNothing) {
  const std::vector<std::string> paths = {"a.gguf", "b.gguf", "mmproj-a.gguf"};
  for (const auto* text : {"FROM ./mmproj-a.gguf\nSYSTEM x", "FROM a.gguf\nADAPTER .\nSYSTEM x",
                           "FROM .\nADAPTER a.gguf\nADAPTER b.gguf"}) {
    const auto use = use_of(parse_modelfile(text), paths);
    EXPECT_TRUE(use.applies) << text;
    EXPECT_THAT(use.weights, IsEmpty()) << text;
    EXPECT_THAT(use.adapters, IsEmpty()) << text;
    EXPECT_THAT(use.notes, ElementsAre(HasSubstr("leave no weights"))) << text;
  }
  const auto use = use_of(parse_modelfile("FROM a.gguf\nFROM mmproj-a.gguf\nADAPTER b.gguf"), paths);
  EXPECT_THAT(use.weights, ElementsAre("a.gguf", "mmproj-a.gguf"));
  EXPECT_THAT(use.adapters, ElementsAre("b.gguf"));
  EXPECT_THAT(use.notes, IsEmpty());
}

TEST(Modelfile, IsReportedInAnyCase) {
  const std::vector<std::string> paths = {"Modelfile", "a.gguf"};
  EXPECT_EQ(report_on_modelfile("FROM a.gguf\nSYSTEM x", paths).brings, "system prompt");
  EXPECT_THAT(report_on_modelfile("FROM llama3", paths).notes,
              ElementsAre("Modelfile: FROM llama3 names no GGUF beside it, so nothing of it is used"));
  EXPECT_THAT(report_on_modelfile("nonsense", paths).notes, ElementsAre(HasSubstr("Modelfile is not used: line 1")));
  EXPECT_TRUE(is_modelfile("modelfile"));
  EXPECT_FALSE(is_modelfile("sub/Modelfile"));
}

}  // namespace
}  // namespace liftlock::ollama
