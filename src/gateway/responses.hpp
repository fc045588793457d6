// Answers of OpenAI's chat as those of its responses: https://platform.openai.com/docs/api-reference/responses and
// …/responses-streaming. What a model thought before it answered is left out; nothing is kept for a later request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "gateway/answer_fields.hpp"
#include "gateway/openai_request.hpp"

namespace liftlock::responses {

struct AnswerFacts {
  std::string id;  ///< "resp_…"; the ids of its items are made from it
  std::string model;
  Timestamp created;
};

/// The whole answer. @throws Error{engine_failed} when it is no answer of chat's form
Json answer(const Json& openai, const AnswerFacts& facts);

/// Chunks of chat's stream in, server-sent events out.
class StreamTranslator {
 public:
  explicit StreamTranslator(AnswerFacts facts) : m_facts(std::move(facts)) {}
  /// One chunk (the data of one event, but not "[DONE]"); the events that it gives, or nothing.
  /// @throws Error{engine_failed}
  std::string feed(const Json& chunk);
  /// The end of the open item, and response.completed or response.incomplete.
  std::string finish();
  /// The event "error", where the stream ends before its time.
  std::string broken(std::string_view code, std::string_view message);

 private:
  enum class Item : std::uint8_t { none, text, call };
  std::string event(std::string_view type, Json data);
  std::string start();
  std::string begin(Item kind);
  std::string end_item();
  std::string end_text();
  std::string feed_text(std::string text);
  std::string feed_call(const Json& piece);
  Json item(std::string_view status) const;
  std::string item_id() const;

  AnswerFacts m_facts;
  std::uint64_t m_sequence = 0;  ///< of the next event
  bool m_started = false;
  Item m_item = Item::none;  ///< the open one
  std::string m_text;        ///< of the open item
  ToolCall m_call;           ///< of the open item
  std::uint64_t m_call_index = 0;
  std::vector<Json> m_output;  ///< items that have ended
  std::string m_finish_reason;
  Json m_usage;
};

}  // namespace liftlock::responses
