#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "gateway/openai_request.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;

Json chat(Json more = Json::object()) {
  Json request = {{"model", "demo"}, {"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})}};
  request.update(more);
  return request;
}

/// What bad_request says of it; empty: nothing.
template <typename F>
std::string refusal(F&& narrow) {
  try {
    narrow();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_request) << error.what();
    return error.message();
  }
  return {};
}
std::string refusal_of(const Json& request) {
  return refusal([&] { narrow_chat_request(request); });
}

TEST(OpenAiRequest, PlainChatPassesAsItIs) {
  const auto request = narrow_chat_request(chat());
  EXPECT_EQ(request.body, chat());
  EXPECT_EQ(request.model, "demo");
  EXPECT_EQ(request.path, "/v1/chat/completions");
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.drop_usage_chunk);
}

// As the official Python client sends it for chat.completions.create(…) with everything set.
TEST(OpenAiRequest, EveryFieldOfTheOfficialClientIsKnown) {
  const auto request = parse_json(R"({
    "model": "demo", "frequency_penalty": 0.5, "presence_penalty": -0.5, "temperature": 0.2, "top_p": 0.9,
    "logit_bias": {"50256": -100}, "logprobs": true, "top_logprobs": 3, "max_completion_tokens": 128, "n": 1,
    "seed": 42, "stop": ["\n", "END"], "store": false, "user": "u-1", "metadata": {"a": "b"},
    "service_tier": "auto", "parallel_tool_calls": false, "reasoning_effort": "low", "modalities": ["text"],
    "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true,
      "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}},
    "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
    "messages": [
      {"role": "developer", "content": "Be brief."},
      {"role": "user", "name": "ada", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}]},
      {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null, "function_call": null,
       "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                       "function": {"name": "get_weather", "arguments": "{\"city\":\"Ulm\"}"}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}],
    "tools": [{"type": "function", "function": {"name": "get_weather", "description": "Weather",
      "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}, "strict": true}}],
    "tool_choice": "auto"})");
  const auto narrowed = narrow_chat_request(request);
  const auto& body = narrowed.body;
  EXPECT_TRUE(narrowed.stream);
  EXPECT_FALSE(narrowed.drop_usage_chunk) << "the client wants it";
  for (const auto* dropped :
       {"store", "user", "metadata", "service_tier", "reasoning_effort", "modalities", "n", "max_completion_tokens"}) {
    EXPECT_FALSE(body.contains(dropped)) << dropped;
  }
  EXPECT_EQ(body.at("max_tokens"), 128);
  EXPECT_EQ(body.at("stream_options"), Json({{"include_usage", true}}));
  EXPECT_EQ(body.at("messages")[0].at("role"), "system");
  EXPECT_EQ(body.at("messages")[2],
            parse_json(R"({"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
              "function": {"name": "get_weather", "arguments": "{\"city\":\"Ulm\"}"}}]})"));
  EXPECT_EQ(body.at("tools"), request.at("tools"));
  EXPECT_EQ(body.at("response_format"), request.at("response_format"));
  EXPECT_EQ(narrow_chat_request(body).body, body) << "narrowing again changes nothing";
}

TEST(OpenAiRequest, StreamsAlwaysBringUsage) {
  const auto request = narrow_chat_request(chat({{"stream", true}}));
  EXPECT_EQ(request.body.at("stream_options"), Json({{"include_usage", true}}));
  EXPECT_TRUE(request.drop_usage_chunk);
  EXPECT_TRUE(narrow_chat_request(chat({{"stream", true}, {"stream_options", nullptr}})).drop_usage_chunk);
}

// https://github.com/ggml-org/llama.cpp/security: fields that an engine acts on, and no client has to.
TEST(OpenAiRequest, WhatIsDangerousForAnEngineNeverPasses) {
  for (const auto* field : {"n_discard",
                            "n_keep",
                            "id_slot",
                            "slot_id",
                            "slot",
                            "cache_prompt",
                            "lora",
                            "samplers",
                            "n_predict",
                            "n_probs",
                            "n_indent",
                            "t_max_predict_ms",
                            "json_schema",
                            "chat_template",
                            "ignore_eos",
                            "mirostat",
                            "return_tokens",
                            "post_sampling_probs",
                            "timings_per_token",
                            "input_prefix",
                            "speculative.n_max",
                            "preserved_tokens",
                            "grammar_triggers",
                            "echo",
                            "prompt",
                            "__verbose",
                            "dry_multiplier"}) {
    const auto said = refusal_of(chat({{field, 1}}));
    EXPECT_THAT(said, HasSubstr(field));
    EXPECT_THAT(said, HasSubstr("unknown"));
  }
}

TEST(OpenAiRequest, UnknownFieldsAreNamedWithTheNearestKnownOne) {
  EXPECT_EQ(refusal_of(chat({{"temprature", 1}})),
            "temprature: is unknown; 'temperature' is the nearest that is known");
  auto request = chat();
  request["messages"][0]["contents"] = "x";
  EXPECT_EQ(refusal_of(request), "messages[0].contents: is unknown; 'content' is the nearest that is known");
  EXPECT_THAT(refusal_of(chat({{std::string(100'000, 'x'), 1}})).size(), testing::Lt(200u));
}

TEST(OpenAiRequest, RangesAndTypesAreKept) {
  for (const auto& [field, value] :
       std::vector<std::pair<const char*, Json>>{{"temperature", -0.1},
                                                 {"temperature", 2.1},
                                                 {"temperature", "0"},
                                                 {"top_p", 1.5},
                                                 {"max_tokens", 0},
                                                 {"max_tokens", 1.5},
                                                 {"max_tokens", -1},
                                                 {"max_tokens", 18446744073709551615u},
                                                 {"max_tokens", 1e300},
                                                 {"n", 2},
                                                 {"top_logprobs", 21},
                                                 {"logprobs", 1},
                                                 {"stream", "yes"},
                                                 {"stop", std::vector<std::string>(17, "a")},
                                                 {"stop", ""},
                                                 {"stop", 1},
                                                 {"seed", 0.5},
                                                 {"presence_penalty", 3},
                                                 {"logit_bias", Json::array()},
                                                 {"logit_bias", {{"x", 1}}},
                                                 {"logit_bias", {{"1", 101}}},
                                                 {"model", ""},
                                                 {"model", nullptr},
                                                 {"messages", Json::array()},
                                                 {"messages", "hi"},
                                                 {"stream_options", {{"include", true}}},
                                                 {"response_format", {{"type", "xml"}}},
                                                 {"response_format", {{"type", "json_schema"}}},
                                                 {"tool_choice", "maybe"},
                                                 {"modalities", {"text", "audio"}},
                                                 {"chat_template_kwargs", {{"system_prompt", "x"}}},
                                                 {"grammar", std::string((64u << 10) + 1, 'a')}}) {
    EXPECT_THAT(refusal_of(chat({{field, value}})), HasSubstr(field)) << value.dump().substr(0, 100);
  }
  Json bias;
  for (int i = 0; i < 1001; ++i) bias[std::to_string(i)] = 1;
  EXPECT_THAT(refusal_of(chat({{"logit_bias", bias}})), HasSubstr("1000"));
  EXPECT_THAT(refusal_of(Json::array()), HasSubstr("object"));
}

TEST(OpenAiRequest, WholeNumbersMayBeWrittenAsFractions) {
  EXPECT_EQ(narrow_chat_request(chat({{"max_tokens", 16.0}})).body.at("max_tokens"), 16);
}

TEST(OpenAiRequest, SeedsOfAnySizeFitTheEngine) {
  EXPECT_EQ(narrow_chat_request(chat({{"seed", -1}})).body.at("seed"), 4294967295u);
  EXPECT_EQ(narrow_chat_request(chat({{"seed", 7}})).body.at("seed"), 7);
}

TEST(OpenAiRequest, MessagesAreChecked) {
  const auto with = [](Json message) {
    return refusal_of({{"model", "demo"}, {"messages", Json::array({std::move(message)})}});
  };
  EXPECT_THAT(with({{"role", "root"}, {"content", "x"}}), HasSubstr("messages[0].role"));
  EXPECT_THAT(with({{"role", "user"}}), HasSubstr("messages[0].content: is missing"));
  EXPECT_THAT(with({{"role", "user"}, {"content", 1}}), HasSubstr("messages[0].content"));
  EXPECT_THAT(with({{"role", "user"}, {"content", Json::array({{{"type", "input_audio"}}})}}),
              HasSubstr("messages[0].content[0].type"));
  EXPECT_THAT(with({{"role", "user"}, {"content", "x"}, {"tool_calls", Json::array()}}),
              HasSubstr("only the assistant"));
}

TEST(OpenAiRequest, ImagesComeWithTheRequestOrNotAtAll) {
  const auto with = [](std::string url, const char* role = "user") {
    return refusal_of(
        {{"model", "demo"},
         {"messages",
          Json::array({{{"role", role},
                        {"content", Json::array({{{"type", "image_url"}, {"image_url", {{"url", url}}}}})}}})}});
  };
  EXPECT_EQ(with("data:image/jpeg;base64,/9j/4AAQ"), "");
  for (const auto* url : {"http://10.0.0.1/x.png", "file:///etc/passwd", "data:text/html;base64,AAAA",
                          "data:image/png;base64,", "data:image/png;base64,<>", "data:image/svg+xml;base64,AAAA"}) {
    EXPECT_THAT(with(url), HasSubstr("image_url.url")) << url;
  }
  EXPECT_THAT(with("data:image/png;base64," + std::string(9u << 20, 'A')), HasSubstr("at most"));
  EXPECT_THAT(with("data:image/png;base64,AAAA", "system"), HasSubstr("only the user"));
}

TEST(OpenAiRequest, ToolsAreBounded) {
  const auto tool = [](const Json& name) -> Json { return {{"type", "function"}, {"function", {{"name", name}}}}; };
  EXPECT_THAT(refusal_of(chat({{"tools", std::vector<Json>(10'000, tool("a"))}})), HasSubstr("at most 128"));
  EXPECT_THAT(refusal_of(chat({{"tools", Json::array({tool("a b")})}})), HasSubstr("tools[0].function.name"));
  EXPECT_EQ(narrow_chat_request(chat({{"tools", Json::array()}, {"tool_choice", "auto"}})).body, chat());
  const auto one = narrow_chat_request(chat({{"tools", Json::array({tool("a"), tool("b")})},
                                             {"tool_choice", {{"type", "function"}, {"function", {{"name", "b"}}}}}}));
  EXPECT_EQ(one.body.at("tools"), Json::array({tool("b")}));
  EXPECT_EQ(one.body.at("tool_choice"), "required");
  EXPECT_THAT(refusal_of(chat({{"tools", Json::array({tool("a")})},
                               {"tool_choice", {{"type", "function"}, {"function", {{"name", "c"}}}}}})),
              HasSubstr("not among the tools"));
}

TEST(OpenAiRequest, SchemasStayWithinThemselves) {
  const auto with = [](const Json& property) {
    return refusal_of(chat(
        {{"response_format",
          {{"type", "json_schema"},
           {"json_schema", {{"name", "x"}, {"schema", {{"type", "object"}, {"properties", {{"p", property}}}}}}}}}}));
  };
  EXPECT_EQ(with({{"$ref", "#/$defs/p"}}), "");
  EXPECT_THAT(with({{"$ref", "https://example.org/schema"}}), HasSubstr("$ref"));
  EXPECT_THAT(with({{"type", "string"}, {"maxLength", 1'000'000}}), HasSubstr("maxLength"));
  EXPECT_THAT(with({{"type", "array"}, {"items", {{"minItems", 1e9}}}}), HasSubstr("minItems"));
  EXPECT_THAT(with({{"pattern", std::string(1000, '(')}}), HasSubstr("pattern"));
  EXPECT_THAT(with({{"description", std::string(70'000, 'a')}}), HasSubstr("65536"));
}

TEST(OpenAiRequest, GrammarsOfTheirOwnExcludeThoseOfTools) {
  EXPECT_EQ(narrow_chat_request(chat({{"grammar", "root ::= \"a\""}})).body.at("grammar"), "root ::= \"a\"");
  EXPECT_THAT(refusal_of(chat({{"grammar", "root ::= \"a\""}, {"response_format", {{"type", "json_object"}}}})),
              HasSubstr("grammar"));
}

TEST(OpenAiRequest, CompletionsOfOnePrompt) {
  const Json request = {{"model", "demo"}, {"prompt", "Once"}, {"max_tokens", 5}, {"stream", true}};
  const auto narrowed = narrow_completion_request(request);
  EXPECT_EQ(narrowed.path, "/v1/completions");
  EXPECT_TRUE(narrowed.drop_usage_chunk);
  EXPECT_EQ(narrowed.body.at("prompt"), "Once");
  EXPECT_EQ(narrow_completion_request({{"model", "demo"}, {"prompt", Json::array({"Once"})}}).body.at("prompt"),
            "Once");
  for (const auto& [asked, passed] : std::vector<std::pair<int, int>>{{0, 1}, {1, 1}, {20, 20}}) {
    EXPECT_EQ(narrow_completion_request({{"model", "demo"}, {"prompt", "x"}, {"logprobs", asked}}).body.at("logprobs"),
              passed);
  }
  const auto refused = [](Json more) {
    Json body = {{"model", "demo"}, {"prompt", "x"}};
    body.update(more);
    return refusal([&] { narrow_completion_request(body); });
  };
  EXPECT_THAT(refused({{"prompt", Json::array({"a", "b"})}}), HasSubstr("prompt"));
  EXPECT_THAT(refused({{"prompt", Json::array({1, 2})}}), HasSubstr("prompt"));
  EXPECT_THAT(refused({{"echo", true}}), HasSubstr("echo"));
  EXPECT_THAT(refused({{"best_of", 3}}), HasSubstr("best_of"));
  EXPECT_THAT(refused({{"suffix", "x"}}), HasSubstr("suffix"));
  EXPECT_THAT(refused({{"messages", Json::array()}}), HasSubstr("messages"));
}

TEST(OpenAiRequest, EmbeddingsOfTextsAndTokens) {
  const auto input = [](Json value) {
    const Json request = {{"model", "e"}, {"input", std::move(value)}, {"encoding_format", "base64"}};
    return refusal([&] { EXPECT_EQ(narrow_embeddings_request(request).body, request); });
  };
  EXPECT_EQ(input("a"), "");
  EXPECT_EQ(input({"a", "b", "c"}), "");
  EXPECT_EQ(input({1, 2, 3}), "");
  EXPECT_EQ(input(Json::array({{1, 2}, {3}})), "");
  EXPECT_THAT(input(Json::array()), HasSubstr("input"));
  EXPECT_THAT(input({"a", 1}), HasSubstr("input[1]"));
  EXPECT_THAT(input({1, -1}), HasSubstr("input[1]"));
  EXPECT_THAT(input(std::vector<std::string>(3000, "a")), HasSubstr("2048"));
  EXPECT_THAT(refusal([] {
                narrow_embeddings_request({{"model", "e"}, {"input", "a"}, {"dimensions", 64}});
              }),
              HasSubstr("dimensions"));
}

TEST(OpenAiRequest, RerankTakesTextsAndObjectsOfText) {
  const auto narrowed = narrow_rerank_request(
      {{"model", "r"}, {"query", "q"}, {"documents", Json::array({"a", {{"text", "b"}}})}, {"top_n", 1}});
  EXPECT_EQ(narrowed.body,
            Json({{"model", "r"}, {"query", "q"}, {"documents", Json::array({"a", "b"})}, {"top_n", 1}}));
  EXPECT_THAT(refusal([] {
                narrow_rerank_request({{"model", "r"}, {"query", "q"}, {"documents", Json::array()}});
              }),
              HasSubstr("documents"));
}

TEST(OpenAiRequest, ResponsesBecomeChat) {
  const auto narrowed = narrow_responses_request(parse_json(R"({
    "model": "demo", "instructions": "Be brief.", "max_output_tokens": 64, "stream": true, "store": true,
    "input": [
      {"role": "user", "content": [{"type": "input_text", "text": "Weather in Ulm?"}]},
      {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1", "name": "weather",
       "arguments": "{}"},
      {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
      {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
       "content": [{"type": "output_text", "text": "Sunny.", "annotations": []}]}],
    "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": true}],
    "text": {"format": {"type": "text"}}})"));
  EXPECT_EQ(narrowed.path, "/v1/chat/completions");
  EXPECT_TRUE(narrowed.stream);
  const auto& messages = narrowed.body.at("messages");
  ASSERT_EQ(messages.size(), 5u);
  EXPECT_EQ(messages[0], Json({{"role", "system"}, {"content", "Be brief."}}));
  EXPECT_EQ(messages[2].at("tool_calls").size(), 2u);
  EXPECT_EQ(messages[3], Json({{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "sunny"}}));
  EXPECT_EQ(narrowed.body.at("max_tokens"), 64);
  EXPECT_EQ(narrowed.body.at("tools")[0].at("function").at("name"), "weather");
  EXPECT_EQ(narrow_responses_request({{"model", "demo"}, {"input", "Hello"}}).body, chat());
  EXPECT_THAT(refusal([] {
                narrow_responses_request({{"model", "demo"}, {"input", "x"}, {"previous_response_id", "resp_1"}});
              }),
              HasSubstr("previous_response_id"));
  EXPECT_THAT(refusal([] {
                narrow_responses_request(
                    {{"model", "demo"}, {"input", "x"}, {"tools", Json::array({{{"type", "code_interpreter"}}})}});
              }),
              HasSubstr("tools[0].type"));
}

}  // namespace
}  // namespace liftlock
