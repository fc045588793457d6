#include "gateway/completions.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace liftlock {
namespace {

// As llama-server answers /v1/completions with "logprobs": 2. The last token is the first two bytes of a dash.
constexpr const char* k_answer = R"({"id":"chatcmpl-7Qx","object":"text_completion","created":1,"model":"demo",
  "usage":{"completion_tokens":3,"prompt_tokens":2,"total_tokens":5},
  "choices":[{"text":" lö","index":0,"finish_reason":"length","logprobs":{"content":[
    {"id":5,"token":" l","bytes":[32,108],"logprob":-0.5,"top_logprobs":[
      {"id":5,"token":" l","bytes":[32,108],"logprob":-0.5},{"id":6,"token":" a","bytes":[32,97],"logprob":-1.5}]},
    {"id":7,"token":"ö","bytes":[195,182],"logprob":-1.0,"top_logprobs":[
      {"id":8,"token":"","bytes":[226],"logprob":-0.25},{"id":9,"token":"","bytes":[227],"logprob":-2.0}]},
    {"id":10,"token":"","bytes":[226,128],"logprob":-3.0,"top_logprobs":[]}]}}]})";

TEST(Completions, LogProbabilitiesHaveTheOlderForm) {
  const auto answer = CompletionTranslator("cmpl-1", 20).feed(parse_json(k_answer));
  EXPECT_EQ(answer.at("id"), "cmpl-1");
  EXPECT_EQ(answer.at("object"), "text_completion");
  EXPECT_EQ(answer.at("usage").at("total_tokens"), 5);
  const auto& choice = answer.at("choices")[0];
  EXPECT_EQ(choice.at("text"), " lö");
  EXPECT_EQ(choice.at("finish_reason"), "length");
  EXPECT_EQ(choice.at("logprobs"), parse_json(R"({
    "tokens": [" l", "ö", "bytes:\\xe2\\x80"],
    "token_logprobs": [-0.5, -1.0, -3.0],
    "top_logprobs": [{" l": -0.5, " a": -1.5}, {"bytes:\\xe2": -0.25, "bytes:\\xe3": -2.0, "ö": -1.0},
                     {"bytes:\\xe2\\x80": -3.0}],
    "text_offset": [0, 2, 3]})"));
}

TEST(Completions, NoAlternativesLeaveTheTokenThatWasChosen) {
  const auto answer = CompletionTranslator("cmpl-1", 0).feed(parse_json(k_answer));
  EXPECT_EQ(answer.at("choices")[0].at("logprobs").at("top_logprobs"),
            parse_json(R"([{" l": -0.5}, {"ö": -1.0}, {"bytes:\\xe2\\x80": -3.0}])"));
}

TEST(Completions, OffsetsGoOnFromChunkToChunk) {
  CompletionTranslator stream("cmpl-1", 20);
  const auto chunk = [&](const std::string& token) {
    const Json logprobs = {{"content", Json::array({{{"token", token}, {"logprob", -1.0}}})}};
    return stream.feed(
        {{"id", "chatcmpl-2"}, {"choices", Json::array({{{"text", token}, {"index", 0}, {"logprobs", logprobs}}})}});
  };
  EXPECT_EQ(chunk("Lift").at("choices")[0].at("logprobs").at("text_offset"), Json::array({0}));
  const auto second = chunk("löck");
  EXPECT_EQ(second.at("id"), "cmpl-1") << "one id for all chunks";
  EXPECT_EQ(second.at("choices")[0].at("logprobs").at("text_offset"), Json::array({4}));
  EXPECT_EQ(chunk("!").at("choices")[0].at("logprobs").at("text_offset"), Json::array({8}));
  const auto last = stream.feed(parse_json(R"({"choices":[{"text":"","logprobs":null,"finish_reason":"stop"}]})"));
  EXPECT_TRUE(last.at("choices")[0].at("logprobs").is_null());
  EXPECT_EQ(stream.feed(parse_json(R"({"choices":[],"usage":{}})")).at("id"), "cmpl-1");
}

// vLLM's.
TEST(Completions, WhatHasTheOlderFormStays) {
  const auto older = parse_json(R"({"tokens":["a"],"token_logprobs":[-1.0],"top_logprobs":null,"text_offset":[0]})");
  const auto answer =
      CompletionTranslator("cmpl-1", 20)
          .feed({{"id", "cmpl-vllm"}, {"choices", Json::array({{{"text", "a"}, {"logprobs", older}}})}});
  EXPECT_EQ(answer.at("choices")[0].at("logprobs"), older);
}

TEST(Completions, NonsenseOfAnEngineIsNoCrash) {
  for (const auto* text :
       {"null", "[1]", R"({"choices":3})", R"({"choices":[1,null,"x"]})", R"({"choices":[{"logprobs":[]}]})",
        R"({"choices":[{"logprobs":{"content":[1,null,{"token":7,"bytes":[300,-1,"x"],"logprob":"x"}]}}]})",
        R"({"choices":[{"logprobs":{"content":[{"token":"a","top_logprobs":[1,{"bytes":{}}]}]}}]})"}) {
    EXPECT_NO_THROW(CompletionTranslator("cmpl-1", 20).feed(parse_json(text))) << text;
  }
}

}  // namespace
}  // namespace liftlock
