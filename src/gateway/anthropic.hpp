// Anthropic's messages in terms of OpenAI's chat. Fields and events: https://docs.anthropic.com/en/api/messages and
// …/messages-streaming (anthropic-version 2023-06-01).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/openai_request.hpp"

namespace liftlock::anthropic {

/// POST /v1/messages → /v1/chat/completions. @throws Error{bad_request} as narrow_chat_request() does
EngineRequest messages_request(const Json& request);

/// POST /v1/messages/count_tokens → the same, without max_tokens.
EngineRequest count_tokens_request(const Json& request);

/// The whole answer. @param id "msg_…" @throws Error{engine_failed} when it is no answer of OpenAI's form
Json message(const Json& openai, std::string_view id, std::string_view model);
/// {"input_tokens": 7}. @throws Error{engine_failed}
Json token_count(const Json& openai);
/// {"type": "error", "error": {"type": …, "message": …}}; in a stream the data of an event "error".
Json error_answer(int http_status, std::string_view message);
/// "event: NAME\ndata: …\n\n"
std::string event(std::string_view name, const Json& data);

/// Chunks of OpenAI's stream in, server-sent events out.
class StreamTranslator {
 public:
  StreamTranslator(std::string id, std::string model) : m_id(std::move(id)), m_model(std::move(model)) {}
  /// One chunk (the data of one event, but not "[DONE]"); the events that it gives, or nothing.
  /// @throws Error{engine_failed}
  std::string feed(const Json& chunk);
  /// The end of the open block, message_delta and message_stop.
  std::string finish();

 private:
  enum class Block : std::uint8_t { none, text, thinking, tool };
  std::string start();
  std::string close_block();
  std::string open_block(Block kind, const Json& block);
  std::string delta(const Json& what) const;
  std::string feed_tool_call(const Json& call);

  std::string m_id, m_model;
  bool m_started = false;
  Block m_block = Block::none;  ///< the open one
  std::uint64_t m_blocks = 0;   ///< how many were begun
  std::uint64_t m_tool = 0;     ///< OpenAI's index of the open tool call
  std::string m_finish_reason;
  Json m_usage;
};

}  // namespace liftlock::anthropic
