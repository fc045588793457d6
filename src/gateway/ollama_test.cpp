#include "gateway/ollama.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"

namespace liftlock::ollama {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

const AnswerFacts k_facts{
    .model = "demo:latest", .created = parse_time("2026-11-23T06:00:00Z"), .total = 5s, .load = 1s};

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

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(parse_json(text.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

// As ollama-python's chat() sends it.
TEST(Ollama, ChatStreamsUnlessToldOtherwise) {
  const auto request = chat_request(parse_json(R"({"model": "demo", "messages": [{"role": "user", "content": "Why?"}],
    "tools": [], "stream": true})"));
  EXPECT_TRUE(request.engine.stream);
  EXPECT_FALSE(request.only_load);
  EXPECT_FALSE(request.engine.drop_usage_chunk);
  EXPECT_EQ(request.engine.model, "demo");
  EXPECT_EQ(request.engine.path, "/v1/chat/completions");
  EXPECT_TRUE(chat_request({{"model", "demo"}, {"messages", request.engine.body.at("messages")}}).engine.stream);
  const auto whole =
      chat_request({{"model", "demo"}, {"messages", request.engine.body.at("messages")}, {"stream", false}});
  EXPECT_FALSE(whole.engine.stream);
  EXPECT_FALSE(whole.engine.body.contains("stream_options"));
}

// As Open WebUI sends it.
TEST(Ollama, OptionsOfLoadingAreKnownAndDropped) {
  const auto request = chat_request(parse_json(R"({"model": "demo", "messages": [{"role": "User", "content": "Hi"}],
    "options": {"temperature": 0.7, "num_ctx": 8192, "num_predict": 100, "top_k": 40, "stop": ["END"], "seed": 1,
                "num_gpu": 99, "mirostat": 0}, "keep_alive": "1h30m", "think": false, "format": ""})"));
  const auto& body = request.engine.body;
  EXPECT_EQ(body.at("temperature"), 0.7);
  EXPECT_EQ(body.at("max_tokens"), 100);
  EXPECT_EQ(body.at("top_k"), 40);
  EXPECT_EQ(body.at("stop"), Json::array({"END"}));
  EXPECT_EQ(body.at("messages")[0].at("role"), "user");
  EXPECT_EQ(body.at("chat_template_kwargs"), Json({{"enable_thinking", false}}));
  EXPECT_FALSE(body.contains("num_ctx"));
  EXPECT_EQ(request.keep_alive, 90min);
  EXPECT_THAT(refusal([] {
                chat_request({{"model", "d"}, {"messages", Json::array()}, {"options", {{"temprature", 1}}}});
              }),
              HasSubstr("options.temprature: is unknown; 'temperature'"));
}

TEST(Ollama, KeepAliveIsSecondsOrADuration) {
  const auto read = [](Json value) {
    return chat_request({{"model", "d"}, {"keep_alive", std::move(value)}}).keep_alive;
  };
  EXPECT_EQ(read(300), 300s);
  EXPECT_EQ(read(0), 0s);
  EXPECT_EQ(read(-1), -1s);
  EXPECT_EQ(read("-1m"), -1s);
  EXPECT_EQ(read("5m"), 5min);
  EXPECT_EQ(read("0"), 0s);
  EXPECT_EQ(read("1500ms"), 1s);
  EXPECT_EQ(read(nullptr), std::nullopt);
  for (const auto* wrong : {"", "5x", "m", "5m5", "99999999999999999999h", "999999999h"}) {
    EXPECT_THAT(refusal([&] { read(wrong); }), HasSubstr("keep_alive")) << wrong;
  }
  EXPECT_THAT(refusal([&] { read(true); }), HasSubstr("keep_alive"));
}

TEST(Ollama, WithoutMessagesTheModelIsOnlyLoaded) {
  EXPECT_TRUE(chat_request({{"model", "demo"}, {"messages", Json::array()}}).only_load);
  EXPECT_TRUE(generate_request({{"model", "demo"}}).only_load);
  const auto unload = generate_request({{"model", "demo"}, {"prompt", ""}, {"keep_alive", 0}});
  EXPECT_TRUE(unload.only_load);
  EXPECT_EQ(unload.engine.model, "demo");
  EXPECT_EQ(unload.keep_alive, 0s);
  EXPECT_EQ(load_answer(Endpoint::chat, k_facts, "load"),
            parse_json(R"({"model": "demo:latest", "created_at": "2026-11-23T06:00:00Z", "done": true,
              "done_reason": "load", "message": {"role": "assistant", "content": ""}})"));
  EXPECT_EQ(load_answer(Endpoint::generate, k_facts, "unload").at("response"), "");
}

TEST(Ollama, ToolCallsGetTheIdsThatChatNeeds) {
  const auto request = chat_request(parse_json(R"({"model": "demo", "messages": [
    {"role": "user", "content": "Weather in Ulm and Bonn?"},
    {"role": "assistant", "content": "", "thinking": "Two calls.", "tool_calls": [
      {"function": {"name": "weather", "arguments": {"city": "Ulm"}}},
      {"function": {"index": 1, "name": "time", "arguments": {"city": "Bonn"}}}]},
    {"role": "tool", "tool_name": "time", "content": "noon"},
    {"role": "tool", "content": "sunny"}]})"));
  const auto& messages = request.engine.body.at("messages");
  EXPECT_EQ(messages[1].at("tool_calls")[0], parse_json(R"({"id": "call_0", "type": "function",
                           "function": {"name": "weather", "arguments": "{\"city\":\"Ulm\"}"}})"));
  EXPECT_EQ(messages[1].at("reasoning_content"), "Two calls.");
  EXPECT_EQ(messages[2].at("tool_call_id"), "call_1");
  EXPECT_EQ(messages[3].at("tool_call_id"), "call_0");
}

TEST(Ollama, ImagesAreRecognisedByTheirFirstBytes) {
  const auto request = chat_request(parse_json(
      R"({"model": "d", "messages": [{"role": "user", "content": "What?", "images": ["iVBORw0KGgoAAAA"]}]})"));
  EXPECT_EQ(request.engine.body.at("messages")[0].at("content")[1].at("image_url").at("url"),
            "data:image/png;base64,iVBORw0KGgoAAAA");
  EXPECT_THAT(refusal([] {
                generate_request({{"model", "d"}, {"prompt", "x"}, {"images", Json::array({"PHN2Zz4="})}});
              }),
              HasSubstr("images[0]"));
}

TEST(Ollama, GenerateIsAChatOfOneMessageUnlessRaw) {
  const auto chat = generate_request({{"model", "d"}, {"prompt", "Why?"}, {"system", "Be brief."}, {"format", "json"}});
  EXPECT_EQ(chat.engine.body.at("messages"), parse_json(R"([{"role": "system", "content": "Be brief."},
                                                            {"role": "user", "content": "Why?"}])"));
  EXPECT_EQ(chat.engine.body.at("response_format"), Json({{"type", "json_object"}}));
  const auto raw = generate_request({{"model", "d"}, {"prompt", "Once"}, {"raw", true}, {"stream", false}});
  EXPECT_EQ(raw.engine.path, "/v1/completions");
  EXPECT_EQ(raw.engine.body.at("prompt"), "Once");
  EXPECT_THAT(refusal([] {
                generate_request({{"model", "d"}, {"prompt", "x"}, {"context", {1, 2}}});
              }),
              HasSubstr("context"));
  EXPECT_THAT(refusal([] {
                generate_request({{"model", "d"}, {"prompt", "x"}, {"template", "{{.}}"}});
              }),
              HasSubstr("template"));
}

TEST(Ollama, AnswerHasTheFieldsOfOllama) {
  const auto openai = parse_json(R"({"id": "chatcmpl-1", "object": "chat.completion", "model": "x", "choices": [
      {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Because."}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    "timings": {"prompt_n": 7, "prompt_ms": 12.5, "predicted_n": 3, "predicted_ms": 30.0}})");
  EXPECT_EQ(answer(Endpoint::chat, openai, k_facts), parse_json(R"({
    "model": "demo:latest", "created_at": "2026-11-23T06:00:00Z",
    "message": {"role": "assistant", "content": "Because."}, "done": true, "done_reason": "stop",
    "total_duration": 5000000000, "load_duration": 1000000000, "prompt_eval_count": 7,
    "prompt_eval_duration": 12500000, "eval_count": 3, "eval_duration": 30000000})"));
  EXPECT_EQ(answer(Endpoint::generate, openai, k_facts).at("response"), "Because.");
}

TEST(Ollama, MalformedAnswersAreTheEnginesFault) {
  for (const auto* text :
       {"{}", "[]", R"({"choices": []})", R"({"choices": [1]})",
        R"({"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}}]})",
        R"({"choices": [{"message": {"tool_calls": [1]}}]})"}) {
    EXPECT_EQ(code_of([&] { answer(Endpoint::chat, parse_json(text), k_facts); }), ErrorCode::engine_failed) << text;
  }
}

TEST(Ollama, StreamBecomesLines) {
  StreamTranslator stream(Endpoint::chat, k_facts);
  std::string out;
  for (const auto* chunk :
       {R"({"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}, "finish_reason": null}]})",
        R"({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": null}]})",
        R"({"choices": [{"index": 0, "delta": {"content": "Be"}, "finish_reason": null}]})",
        R"({"choices": [{"index": 0, "delta": {"content": "cause"}, "finish_reason": null}]})",
        R"({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})",
        R"({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})"}) {
    out += stream.feed(parse_json(chunk));
  }
  out += stream.finish(3s);
  const auto lines = lines_of(out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].at("message"), Json({{"role", "assistant"}, {"content", ""}, {"thinking", "Hm."}}));
  EXPECT_EQ(lines[1], parse_json(R"({"model": "demo:latest", "created_at": "2026-11-23T06:00:00Z", "done": false,
                                     "message": {"role": "assistant", "content": "Be"}})"));
  EXPECT_EQ(lines[3].at("done"), true);
  EXPECT_EQ(lines[3].at("done_reason"), "length");
  EXPECT_EQ(lines[3].at("prompt_eval_count"), 7);
  EXPECT_EQ(lines[3].at("eval_count"), 2);
  EXPECT_EQ(lines[3].at("total_duration"), 3'000'000'000);
  EXPECT_EQ(lines[3].at("eval_duration"), 2'000'000'000) << "the engine did not tell";
}

TEST(Ollama, PiecesOfToolCallsBecomeWholeOnes) {
  StreamTranslator stream(Endpoint::chat, k_facts);
  for (
      const auto* chunk :
      {R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "weather", "arguments": ""}}]}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":"}}]}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "\"Ulm\"}"}}]}}]})",
       R"({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})"}) {
    EXPECT_EQ(stream.feed(parse_json(chunk)), "");
  }
  const auto lines = lines_of(stream.finish(1s));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("message").at("tool_calls"),
            parse_json(R"([{"id": "c1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Ulm"}}}])"));
  EXPECT_EQ(lines[1].at("done_reason"), "stop");
  EXPECT_EQ(code_of([&] {
              stream.feed(parse_json(R"({"choices": [{"delta": {"tool_calls": [{"index": 99, "function": {}}]}}]})"));
            }),
            ErrorCode::engine_failed);
}

TEST(Ollama, EmbeddingsComeInTheOrderOfTheInputs) {
  const auto request = embed_request({{"model", "e"}, {"input", {"a", "b"}}, {"truncate", true}, {"keep_alive", "5m"}});
  EXPECT_EQ(request.engine.path, "/v1/embeddings");
  EXPECT_EQ(request.engine.body.at("encoding_format"), "float");
  const auto openai = parse_json(R"({"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}],
                                     "usage": {"prompt_tokens": 4}})");
  const auto answer = embed_answer(openai, k_facts);
  EXPECT_EQ(answer.at("embeddings"), parse_json("[[1.0], [2.0]]"));
  EXPECT_EQ(answer.at("prompt_eval_count"), 4);
  EXPECT_EQ(code_of([&] { embeddings_answer(openai); }), ErrorCode::engine_failed);
  EXPECT_EQ(embeddings_answer(parse_json(R"({"data": [{"index": 0, "embedding": [1.0]}]})")),
            parse_json(R"({"embedding": [1.0]})"));
  EXPECT_EQ(embeddings_request({{"model", "e"}, {"prompt", "a"}}).engine.body.at("input"), "a");
  EXPECT_EQ(code_of([&] { embed_answer(parse_json(R"({"data": [{"index": 5, "embedding": []}]})"), k_facts); }),
            ErrorCode::engine_failed);
}

TEST(Ollama, DocumentsOfModels) {
  const ModelCard card{.name = "demo:latest",
                       .digest = std::string(64, 'a'),
                       .size = 5'000'000,
                       .modified = k_facts.created,
                       .architecture = "llama",
                       .parameters = "3.2M",
                       .quantisation = "Q8_0",
                       .context = 2048,
                       .parameter_count = 3'200'000,
                       .memory = 9'000'000};
  EXPECT_EQ(tags({card}), parse_json(R"({"models": [{"name": "demo:latest", "model": "demo:latest",
    "modified_at": "2026-11-23T06:00:00Z", "size": 5000000,
    "digest": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "capabilities": ["completion"],
    "details": {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
                "parameter_size": "3.2M", "quantization_level": "Q8_0"}}]})"));
  EXPECT_EQ(tags({}), parse_json(R"({"models": []})"));
  const auto loaded = ps({card}).at("models")[0];
  EXPECT_EQ(loaded.at("size"), 9'000'000);
  EXPECT_EQ(loaded.at("context_length"), 2048);
  EXPECT_TRUE(loaded.contains("expires_at"));
  EXPECT_EQ(show(card).at("model_info"), parse_json(R"({"general.architecture": "llama",
    "general.parameter_count": 3200000, "llama.context_length": 2048})"));
  EXPECT_EQ(show_request({{"model", "demo"}, {"verbose", true}}), "demo");
  EXPECT_EQ(show_request({{"name", "demo"}}), "demo");
  EXPECT_THAT(refusal([] { show_request(Json::object()); }), HasSubstr("model"));
  EXPECT_TRUE(version().at("version").is_string());
  EXPECT_EQ(error_answer("no"), parse_json(R"({"error": "no"})"));
}

}  // namespace
}  // namespace liftlock::ollama
