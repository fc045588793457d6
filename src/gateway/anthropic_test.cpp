#include "gateway/anthropic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"

namespace liftlock::anthropic {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename F>
std::string refusal(F&& translate) {
  try {
    translate();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_request) << error.what();
    return error.message();
  }
  return {};
}

struct Event {
  std::string name;
  Json data;
};
std::vector<Event> events_of(std::string_view text) {
  std::vector<Event> events;
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    const auto one = text.substr(0, end);
    const auto line = one.find('\n');
    EXPECT_TRUE(one.starts_with("event: ") && one.substr(line + 1).starts_with("data: ")) << one;
    events.push_back({std::string(one.substr(7, line - 7)), parse_json(one.substr(line + 7))});
    EXPECT_EQ(events.back().data.at("type"), events.back().name);
    text.remove_prefix(end + 2);
  }
  return events;
}
std::vector<std::string> names_of(const std::vector<Event>& events) {
  std::vector<std::string> names;
  for (const auto& event : events) names.push_back(event.name);
  return names;
}

TEST(Anthropic, MessagesBecomeChat) {
  const auto request = messages_request(parse_json(R"({
    "model": "demo", "max_tokens": 1024, "stream": true, "temperature": 0.5, "top_k": 10, "stop_sequences": ["END"],
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "metadata": {"user_id": "u"}, "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "weather", "description": "Weather", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
    "messages": [
      {"role": "user", "content": "Weather in Ulm?"},
      {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "A call.", "signature": "s"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Ulm"}}]},
      {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "sunny"}]},
        {"type": "text", "text": "And this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]}]})"));
  EXPECT_TRUE(request.stream);
  EXPECT_FALSE(request.drop_usage_chunk);
  EXPECT_EQ(request.path, "/v1/chat/completions");
  EXPECT_EQ(request.body, parse_json(R"({
    "model": "demo", "max_tokens": 1024, "stream": true, "stream_options": {"include_usage": true},
    "temperature": 0.5, "top_k": 10, "stop": ["END"], "chat_template_kwargs": {"enable_thinking": true},
    "tools": [{"type": "function", "function": {"name": "weather", "description": "Weather",
               "parameters": {"type": "object"}}}],
    "tool_choice": "required", "parallel_tool_calls": false,
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Weather in Ulm?"},
      {"role": "assistant", "content": "I look.", "reasoning_content": "A call.", "tool_calls": [
        {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Ulm\"}"}}]},
      {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"},
      {"role": "user", "content": [
        {"type": "text", "text": "And this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]})"));
}

TEST(Anthropic, WhatIsWrongIsNamed) {
  const auto with = [](Json more) {
    Json body = {{"model", "d"}, {"max_tokens", 1}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
    body.update(more);
    return refusal([&] { messages_request(body); });
  };
  EXPECT_EQ(with(Json::object()), "");
  EXPECT_THAT(with({{"max_tokens", nullptr}}), HasSubstr("max_tokens: is missing"));
  EXPECT_THAT(with({{"max_tokens", 0}}), HasSubstr("max_tokens"));
  EXPECT_THAT(with({{"temperature", 1.5}}), HasSubstr("temperature"));
  EXPECT_THAT(with({{"messages", Json::array()}}), HasSubstr("messages"));
  EXPECT_THAT(with({{"n_discard", 1}}), HasSubstr("n_discard"));
  EXPECT_THAT(with({{"container", "c"}}), HasSubstr("container"));
  EXPECT_THAT(with({{"messages", Json::array({{{"role", "system"}, {"content", "x"}}})}}),
              HasSubstr("messages[0].role"));
  EXPECT_THAT(
      with({{"messages", Json::array({{{"role", "user"}, {"content", Json::array({{{"type", "document"}}})}}})}}),
      HasSubstr("messages[0].content[0].type"));
  EXPECT_THAT(with({{"tools", Json::array({{{"type", "bash_20250124"}, {"name", "bash"}}})}}),
              HasSubstr("tools[0].type"));
}

TEST(Anthropic, TokensAreCountedOfARequestWithoutALength) {
  const Json messages = Json::array({{{"role", "user"}, {"content", "Hello"}}});
  const auto request = count_tokens_request({{"model", "demo"}, {"messages", messages}, {"system", "Be brief."}});
  EXPECT_EQ(request.path, "/v1/chat/completions/input_tokens");
  EXPECT_EQ(request.body.at("messages").size(), 2u);
  EXPECT_FALSE(request.body.contains("max_tokens"));
  EXPECT_EQ(token_count({{"input_tokens", 7u}, {"object", "response.input_tokens"}}), Json({{"input_tokens", 7}}));
  EXPECT_THROW(token_count({{"error", "no"}}), Error);
}

TEST(Anthropic, AFormOfTheAnswerBecomesAResponseFormat) {
  const Json schema = {{"type", "object"}};
  const Json request = {
      {"model", "demo"},
      {"max_tokens", 9},
      {"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})},
      {"output_config", {{"effort", "low"}, {"format", {{"type", "json_schema"}, {"schema", schema}}}}}};
  EXPECT_EQ(messages_request(request).body.at("response_format").at("json_schema").at("schema"), schema);
}

TEST(Anthropic, AnswerHasBlocks) {
  const auto openai = parse_json(R"({"choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant",
      "content": "I look.", "reasoning_content": "Hm.", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Ulm\"}"}}]}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}})");
  EXPECT_EQ(message(openai, "msg_1", "demo"), parse_json(R"({"id": "msg_1", "type": "message", "role": "assistant",
    "model": "demo", "stop_reason": "tool_use", "stop_sequence": null, "content": [
      {"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "I look."},
      {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Ulm"}}],
    "usage": {"input_tokens": 6, "output_tokens": 5, "cache_read_input_tokens": 4,
              "cache_creation_input_tokens": 0}})"));
  EXPECT_EQ(code_of([] { message(Json::object(), "m", "d"); }), ErrorCode::engine_failed);
}

TEST(Anthropic, StreamHasTheEventsInOrder) {
  StreamTranslator stream("msg_1", "demo");
  std::string out;
  for (
      const auto* chunk :
      {R"({"choices": [{"delta": {"role": "assistant", "content": null}}]})",
       R"({"choices": [{"delta": {"reasoning_content": "Hm."}}]})", R"({"choices": [{"delta": {"content": "I "}}]})",
       R"({"choices": [{"delta": {"content": "look."}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "a", "arguments": "{"}}]}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "b", "arguments": "{}"}}]}}]})",
       R"({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})",
       R"({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})"}) {
    out += stream.feed(parse_json(chunk));
  }
  out += stream.finish();
  const auto events = events_of(out);
  EXPECT_THAT(
      names_of(events),
      ElementsAre("message_start", "content_block_start", "content_block_delta", "content_block_stop",
                  "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                  "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                  "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"));
  EXPECT_EQ(events[0].data.at("message").at("content"), Json::array());
  EXPECT_EQ(events[1].data.at("content_block").at("type"), "thinking");
  EXPECT_EQ(events[4].data, parse_json(R"({"type": "content_block_start", "index": 1,
                                           "content_block": {"type": "text", "text": ""}})"));
  EXPECT_EQ(events[5].data.at("delta"), parse_json(R"({"type": "text_delta", "text": "I "})"));
  EXPECT_EQ(events[8].data.at("content_block"),
            parse_json(R"({"type": "tool_use", "id": "c1", "name": "a", "input": {}})"));
  EXPECT_EQ(events[10].data.at("delta"), parse_json(R"({"type": "input_json_delta", "partial_json": "}"})"));
  EXPECT_EQ(events[12].data.at("index"), 3);
  EXPECT_EQ(events[15].data.at("delta"), parse_json(R"({"stop_reason": "tool_use", "stop_sequence": null})"));
  EXPECT_EQ(events[15].data.at("usage").at("output_tokens"), 5);
}

TEST(Anthropic, EmptyStreamIsAWholeMessageAllTheSame) {
  StreamTranslator stream("msg_1", "demo");
  EXPECT_THAT(names_of(events_of(stream.finish())), ElementsAre("message_start", "message_delta", "message_stop"));
}

TEST(Anthropic, ErrorsHaveTheirType) {
  EXPECT_EQ(error_answer(429, "slow down"), parse_json(R"({"type": "error",
    "error": {"type": "rate_limit_error", "message": "slow down"}})"));
  EXPECT_EQ(error_answer(400, "x").at("error").at("type"), "invalid_request_error");
  EXPECT_EQ(error_answer(502, "x").at("error").at("type"), "api_error");
}

}  // namespace
}  // namespace liftlock::anthropic
