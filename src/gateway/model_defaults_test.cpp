#include "gateway/model_defaults.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/anthropic.hpp"
#include "gateway/ollama.hpp"

namespace liftlock {
namespace {

Json message(const char* role, const char* content) {
  return {{"role", role}, {"content", content}};
}

ollama::Defaults defaults() {
  return {.system = "Be terse.",
          .messages = {{"user", "hi"}, {"assistant", "ho"}},
          .params = {{"temperature", 0.5}, {"num_predict", 9}, {"stop", "User:"}, {"num_ctx", 4096}, {"top_p", 7}}};
}

EngineRequest asking(Json body, std::string_view path = "/v1/chat/completions") {
  EngineRequest request;
  request.path = path;
  request.body = std::move(body);
  return request;
}

TEST(ModelDefaults, GoBeforeWhatTheClientSays) {
  auto request = asking({{"messages", Json::array({message("user", "why?")})}});
  apply_defaults(defaults(), request);
  EXPECT_EQ(request.body["messages"], Json::array({message("system", "Be terse."), message("user", "hi"),
                                                   message("assistant", "ho"), message("user", "why?")}));
}

TEST(ModelDefaults, TheClientsInstructionsWin) {
  for (const auto* role : {"system", "developer"}) {
    auto request = asking({{"messages", Json::array({message(role, ""), message("user", "why?")})}});
    apply_defaults(defaults(), request);
    EXPECT_EQ(request.body["messages"], Json::array({message(role, ""), message("user", "hi"),
                                                     message("assistant", "ho"), message("user", "why?")}));
  }
}

TEST(ModelDefaults, ParametersAreThoseThatARequestMayNameAndDoesNot) {
  auto request = asking({{"prompt", "Once"}, {"temperature", 0}}, "/v1/completions");
  apply_defaults(defaults(), request);
  EXPECT_EQ(request.body, Json({{"prompt", "Once"}, {"temperature", 0}, {"max_tokens", 9}, {"stop", {"User:"}}}))
      << "top_p is out of its range, and num_ctx is not for a client to say";
}

TEST(ModelDefaults, WhatIsLeftOutIsNamedWithWhy) {
  using testing::Contains;
  using testing::HasSubstr;
  using testing::Pair;
  auto params = defaults().params;
  params["num_gpu"] = 99;
  params["num_predict"] = -1;
  const auto out = left_out(params);
  EXPECT_THAT(out, Contains(Pair("num_ctx", HasSubstr("[models] context"))));
  EXPECT_THAT(out, Contains(Pair("num_gpu", HasSubstr("no client may ask for it"))));
  EXPECT_THAT(out, Contains(Pair("top_p", HasSubstr("must be a number from 0 to 1"))));
  EXPECT_THAT(out, Contains(Pair("num_predict", HasSubstr("must be a whole number"))));
  EXPECT_EQ(out.size(), 4u) << "all else is given to each request";
  auto request = asking({{"prompt", "Once"}}, "/v1/completions");
  apply_defaults({.system = {}, .messages = {}, .params = params}, request);
  for (const auto& [name, value] : params.items()) EXPECT_NE(out.contains(name), request.body.contains(name)) << name;
}

TEST(ModelDefaults, WhereNothingIsGeneratedNothingIsAdded) {
  for (const auto* path : {"/v1/embeddings", "/v1/rerank", "/v1/audio/transcriptions", "/v1/images/generations"}) {
    const Json body = {{"input", "a text"}, {"prompt", "what a recording is about"}};
    auto request = asking(body, path);
    apply_defaults(defaults(), request);
    EXPECT_EQ(request.body, body) << path;
  }
}

TEST(ModelDefaults, ACountSeesThem) {
  auto request =
      anthropic::count_tokens_request({{"model", "demo"}, {"messages", Json::array({message("user", "why?")})}});
  apply_defaults(defaults(), request);
  EXPECT_EQ(request.body["messages"].size(), 4u);
}

TEST(ModelDefaults, SystemMessagesAreOne) {
  auto all = defaults();
  all.messages = {{"system", "In English."}, {"user", "hi"}, {"system", "Go on."}};
  auto request = asking({{"messages", Json::array({message("user", "why?")})}});
  apply_defaults(all, request);
  EXPECT_EQ(request.body["messages"], Json::array({message("system", "Be terse.\n\nIn English."), message("user", "hi"),
                                                   message("system", "Go on."), message("user", "why?")}));
  const auto parts = [](std::vector<const char*> texts) {
    auto out = Json::array();
    for (const auto* text : texts) out.push_back({{"type", "text"}, {"text", text}});
    return Json{{"role", "system"}, {"content", std::move(out)}};
  };
  request = asking({{"messages", Json::array({parts({"Be long."}), message("user", "why?")})}});
  apply_defaults(all, request);
  EXPECT_EQ(request.body["messages"][0], parts({"Be long.", "In English."}));
}

TEST(ModelDefaults, WhoWantsNoneGetsNone) {
  const auto messages = Json::array({message("user", "why?")});
  const Json chat = {{"model", "demo"}, {"messages", messages}};
  auto open = chat;
  open["stop"] = Json::array();
  auto endless = chat;
  endless["options"] = {{"num_predict", -1}, {"stop", Json::array()}};
  const Json raw = {{"model", "demo"}, {"prompt", "Once"}, {"raw", true}, {"options", {{"num_predict", -1}}}};
  const auto given = [](EngineRequest request) {
    apply_defaults(defaults(), request);
    return std::pair(request.body.contains("max_tokens"), request.body.contains("stop"));
  };
  EXPECT_EQ(given(narrow_chat_request(chat)), std::pair(true, true));
  EXPECT_EQ(given(narrow_chat_request(open)), std::pair(true, false));
  EXPECT_EQ(given(ollama::chat_request(endless).engine), std::pair(false, false));
  EXPECT_EQ(given(ollama::generate_request(raw).engine), std::pair(false, true));
}

}  // namespace
}  // namespace liftlock
