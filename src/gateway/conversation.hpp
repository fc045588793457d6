// One request to a model, from the lease of a running engine to the last byte of the answer and the closed record.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/gatekeeper.hpp"
#include "engine/model_host.hpp"
#include "engine/speech_host.hpp"
#include "gateway/dialect.hpp"
#include "gateway/key_order.hpp"
#include "gateway/model_names.hpp"
#include "net/live_answer.hpp"
#include "net/upstream.hpp"
#include "pool/dialect.hpp"
#include "pool/pools.hpp"
#include "record/record_book.hpp"

namespace liftlock {

/// What is told of each conversation when it ends, for metrics. On the worker's thread.
struct ConversationEnd {
  std::string model;
  std::string_view outcome;  ///< "success", "failed", "client-gone"
  bool unrecorded = false;   ///< it was answered, and its record could not be written
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  std::chrono::nanoseconds wait{}, first{}, total{};  ///< until the engine was there, the first piece, the end
  std::chrono::nanoseconds loaded{};                  ///< until the engine ran, where that was after the request came
};

struct ConversationParts {
  engine::ModelHost& host;
  const pool::Pools& pools;
  RecordBook& book;
  Gatekeeper& gatekeeper;
  engine::SpeechHost& speech;
  std::function<void(const ConversationEnd&)> on_end;
  UnixClientLimits limits;  ///< of an engine's answer; pools have their own
};

/// A recording to be turned into text.
struct Listening {
  std::shared_ptr<const engine::Recording> recording;
  engine::TranscribeTask task;
  std::function<HttpResponse(const engine::Transcript&)> say;
  bool is_kept = false;  ///< the recording goes into the record
};

struct ConversationRequest {
  Caller caller;
  std::string peer;
  Api api = Api::openai;
  std::string endpoint;  ///< as the client named it: "/v1/chat/completions"
  ModelTarget model;
  std::optional<engine::Offer> offer;  ///< where the model is not remote
  std::string id;                      ///< of the record
  RecordMode record_mode = RecordMode::full;
  bool record_or_stop = true;     ///< without a record there is no answer
  std::vector<std::string> tags;  ///< of the record
  EngineRequest engine;
  KeyOrder order;                      ///< of what the engine gets
  std::optional<pool::Call> call;      ///< for an endpoint of a pool, where the model is remote
  std::optional<Listening> listening;  ///< then `engine` is for the record only
  std::chrono::seconds keep_alive{0};  ///< 0: the host's
  std::unique_ptr<Dialect> dialect;
};

/// The parts must outlive the answer.
std::shared_ptr<LiveAnswer> make_conversation(ConversationParts parts, ConversationRequest request);

}  // namespace liftlock
