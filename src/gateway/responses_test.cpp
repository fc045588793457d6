#include "gateway/responses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"

namespace liftlock::responses {
namespace {

using testing::ElementsAre;

const AnswerFacts k_facts{.id = "resp_1", .model = "demo", .created = parse_time("2026-11-23T06:00:00Z")};

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
    events.push_back({std::string(one.substr(7, line - 7)), parse_json(one.substr(line + 7))});
    EXPECT_EQ(events.back().data.at("type"), events.back().name);
    EXPECT_EQ(events.back().data.at("sequence_number"), events.size() - 1);
    text.remove_prefix(end + 2);
  }
  return events;
}
std::vector<std::string> names_of(const std::vector<Event>& events) {
  std::vector<std::string> names;
  for (const auto& event : events) names.push_back(event.name);
  return names;
}

TEST(Responses, AnswerHasItems) {
  const auto made = answer(parse_json(R"({"choices": [{"finish_reason": "tool_calls", "message": {"content": "I look.",
      "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5}})"),
                           k_facts);
  EXPECT_EQ(made.at("status"), "completed");
  EXPECT_EQ(made.at("created_at"), 1795413600);
  EXPECT_EQ(made.at("output"), parse_json(R"([
    {"type": "message", "id": "msg_1_0", "status": "completed", "role": "assistant", "content": [
      {"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}]},
    {"type": "function_call", "id": "fc_1_1", "status": "completed", "call_id": "c1", "name": "weather",
     "arguments": "{}"}])"));
  EXPECT_EQ(made.at("usage").at("total_tokens"), 15);
  const auto cut =
      answer(parse_json(R"({"choices": [{"finish_reason": "length", "message": {"content": "I"}}]})"), k_facts);
  EXPECT_EQ(cut.at("status"), "incomplete");
  EXPECT_EQ(cut.at("incomplete_details"), parse_json(R"({"reason": "max_output_tokens"})"));
  EXPECT_EQ(code_of([] { answer(Json::object(), k_facts); }), ErrorCode::engine_failed);
}

TEST(Responses, StreamHasTheEventsInOrder) {
  StreamTranslator stream(k_facts);
  std::string out;
  for (
      const auto* chunk :
      {R"({"choices": [{"delta": {"role": "assistant", "content": null}}]})",
       R"({"choices": [{"delta": {"content": "I "}}]})", R"({"choices": [{"delta": {"content": "look."}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "a", "arguments": "{"}}]}}]})",
       R"({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}}]})",
       R"({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})",
       R"({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})"}) {
    out += stream.feed(parse_json(chunk));
  }
  out += stream.finish();
  const auto events = events_of(out);
  EXPECT_THAT(names_of(events),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                          "response.output_text.done", "response.content_part.done", "response.output_item.done",
                          "response.output_item.added", "response.function_call_arguments.delta",
                          "response.function_call_arguments.delta", "response.function_call_arguments.done",
                          "response.output_item.done", "response.completed"));
  EXPECT_EQ(events[6].data.at("text"), "I look.");
  EXPECT_EQ(events[9].data.at("output_index"), 1);
  EXPECT_EQ(events[9].data.at("item").at("arguments"), "");
  EXPECT_EQ(events[12].data.at("arguments"), "{}");
  const auto& last = events[14].data.at("response");
  EXPECT_EQ(last.at("output")[0], events[8].data.at("item"));
  EXPECT_EQ(last.at("output")[1], events[13].data.at("item"));
  EXPECT_EQ(last.at("usage").at("output_tokens"), 5);
}

TEST(Responses, EmptyStreamIsAWholeResponseAllTheSame) {
  StreamTranslator stream(k_facts);
  EXPECT_THAT(names_of(events_of(stream.finish())),
              ElementsAre("response.created", "response.in_progress", "response.completed"));
}

TEST(Responses, BrokenStreamEndsWithAnError) {
  StreamTranslator stream(k_facts);
  const auto begun = stream.feed(parse_json(R"({"choices": [{"delta": {"content": "I"}}]})"));
  const auto events = events_of(begun + stream.broken("engine-failed", "it stopped"));
  EXPECT_EQ(events.back().name, "error");
  EXPECT_EQ(events.back().data.at("code"), "engine-failed");
}

TEST(Responses, CallsWithoutANameAreTheEnginesFault) {
  StreamTranslator stream(k_facts);
  EXPECT_EQ(code_of([&] {
              stream.feed(parse_json(R"({"choices": [{"delta": {"tool_calls": [{"index": 3, "function": {}}]}}]})"));
            }),
            ErrorCode::engine_failed);
}

}  // namespace
}  // namespace liftlock::responses
