#include "trace/request_trace.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"

namespace liftlock {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

constexpr int k_internal = 1, k_server = 2;  // SpanKind
constexpr int k_ok = 1, k_error = 2;         // StatusCode

Json text_attribute(std::string_view key, std::string_view value) {
  return {{"key", key}, {"value", {{"stringValue", printable(value)}}}};
}

/// 64-bit numbers are strings in protobuf's JSON.
Json count_attribute(std::string_view key, std::uint64_t value) {
  return {{"key", key}, {"value", {{"intValue", std::to_string(value)}}}};
}

std::string span_id(const std::function<std::uint64_t()>& random) {
  auto id = random();
  while (id == 0) id = random();
  return fmt::format("{:016x}", id);
}

std::string trace_id(const RequestTrace& trace, const std::function<std::uint64_t()>& random) {
  if (trace.parent) return encode_hex(trace.parent->trace);
  auto id = span_id(random);
  return id += span_id(random);
}

struct Tree {
  std::string trace, root;
  Nanoseconds began;  ///< since the epoch
  const std::function<std::uint64_t()>& random;
  Json& spans;

  Json span(std::string name, int kind, std::string id, Nanoseconds from, Nanoseconds to) const {
    return {{"traceId", trace},
            {"spanId", std::move(id)},
            {"name", std::move(name)},
            {"kind", kind},
            {"startTimeUnixNano", std::to_string((began + from).count())},
            {"endTimeUnixNano", std::to_string((began + to).count())}};
  }
  void add_child(std::string name, Nanoseconds from, Nanoseconds to) const {
    auto child = span(std::move(name), k_internal, span_id(random), from, to);
    child["parentSpanId"] = root;
    spans.push_back(std::move(child));
  }
};

void add_spans(const RequestTrace& trace, const std::function<std::uint64_t()>& random, Json& spans) {
  const Tree tree{trace_id(trace, random), span_id(random), trace.ended.time_since_epoch() - trace.total, random,
                  spans};
  auto root = tree.span("POST " + trace.endpoint, k_server, tree.root, Nanoseconds(0), trace.total);
  if (trace.parent) root["parentSpanId"] = encode_hex(trace.parent->span);
  root["status"] = {{"code", trace.outcome == "success" ? k_ok : k_error}};
  root["attributes"] = {text_attribute("http.request.method", "POST"),
                        text_attribute("http.route", trace.endpoint),
                        text_attribute("gen_ai.request.model", trace.model),
                        count_attribute("gen_ai.usage.input_tokens", trace.prompt_tokens),
                        count_attribute("gen_ai.usage.output_tokens", trace.completion_tokens),
                        text_attribute("liftlock.key.id", trace.key_id),
                        text_attribute("liftlock.record.id", trace.record_id),
                        text_attribute("liftlock.request.id", trace.request_id),
                        text_attribute("liftlock.outcome", trace.outcome)};
  spans.push_back(std::move(root));
  if (trace.ready.count() == 0) return;
  if (trace.loaded.count() > 0) tree.add_child("load", Nanoseconds(0), trace.loaded);
  tree.add_child("queue", trace.loaded, trace.ready);
  if (trace.first.count() == 0) return;
  tree.add_child("first token", trace.ready, trace.first);
  tree.add_child("answer", trace.first, trace.total);
}

}  // namespace

Json otlp_request(const std::vector<RequestTrace>& traces, const std::function<std::uint64_t()>& random) {
  auto spans = Json::array();
  for (const auto& trace : traces) add_spans(trace, random, spans);
  const Json scope_spans = {{"scope", {{"name", "liftlock"}}}, {"spans", std::move(spans)}};
  const auto about =
      Json::array({text_attribute("service.name", "liftlock"), text_attribute("service.version", LIFTLOCK_VERSION)});
  const Json resource_spans = {{"resource", {{"attributes", about}}}, {"scopeSpans", Json::array({scope_spans})}};
  return {{"resourceSpans", Json::array({resource_spans})}};
}

}  // namespace liftlock
