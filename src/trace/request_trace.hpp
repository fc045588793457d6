// One request to a model as a tree of spans, in OTLP's JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "trace/traceparent.hpp"

namespace liftlock {

/// Never content. Durations are since the request began; zero: it did not get that far.
struct RequestTrace {
  std::optional<TraceParent> parent;  ///< what the client said
  std::string endpoint;               ///< "/v1/chat/completions"
  std::string key_id, model, request_id, record_id;
  std::string outcome;  ///< "success", or how it failed
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  std::chrono::system_clock::time_point ended;
  std::chrono::nanoseconds loaded{};  ///< until an engine ran, where one was started for this request
  std::chrono::nanoseconds ready{};   ///< until the request had a slot of it
  std::chrono::nanoseconds first{};   ///< until the first token
  std::chrono::nanoseconds total{};
};

/// An ExportTraceServiceRequest: of each request a root span and, below it, "load", "queue", "first token", "answer".
/// @param random 64 bits, for ids
Json otlp_request(const std::vector<RequestTrace>& traces, const std::function<std::uint64_t()>& random);

}  // namespace liftlock
