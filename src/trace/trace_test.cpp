// The exporter against a stand-in for a collector: a server of our own that keeps what it is sent. No real collector
// was at hand.
#include <gmock/gmock.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "net/server.hpp"
#include "trace/trace_exporter.hpp"

namespace liftlock {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* k_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceParentTest, TakesWhatTheSpecificationAllows) {
  const auto parent = parse_traceparent(k_parent);
  ASSERT_TRUE(parent);
  EXPECT_EQ(encode_hex(parent->trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(encode_hex(parent->span), "b7ad6b7169203331");
  EXPECT_TRUE(parent->sampled);
  EXPECT_FALSE(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02")->sampled);
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
}

TEST(TraceParentTest, RefusesAllElse) {
  const std::string good = k_parent;
  for (const auto& text :
       {std::string(), good.substr(1), good + "-more", good + "0", "ff" + good.substr(2), "0g" + good.substr(2),
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        std::string("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        "cc" + good.substr(2) + std::string(600, '-'), "cc" + good.substr(2) + "more"}) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
}

RequestTrace a_trace() {
  RequestTrace trace;
  trace.endpoint = "/v1/chat/completions";
  trace.key_id = "key_1";
  trace.model = "demo";
  trace.request_id = "req";
  trace.record_id = "rec";
  trace.outcome = "success";
  trace.prompt_tokens = 7;
  trace.completion_tokens = 20;
  trace.ended = std::chrono::system_clock::time_point(100s);
  trace.loaded = 1s;
  trace.ready = 2s;
  trace.first = 3s;
  trace.total = 10s;
  return trace;
}

const Json& spans_of(const Json& request) {
  return request.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
}

TEST(RequestTraceTest, IsATreeWhoseTimesFollowEachOther) {
  std::uint64_t next = 1;
  const auto request = otlp_request({a_trace()}, [&] { return next++; });
  const auto& spans = spans_of(request);
  std::vector<std::string> names, times;
  for (const auto& span : spans) {
    names.push_back(span.at("name"));
    times.push_back(span.at("startTimeUnixNano").get<std::string>() + " " +
                    span.at("endTimeUnixNano").get<std::string>());
    EXPECT_EQ(span.at("traceId"), "00000000000000010000000000000002");
    EXPECT_EQ(span.at("spanId").get<std::string>().size(), 16u);
  }
  EXPECT_THAT(names, ElementsAre("POST /v1/chat/completions", "load", "queue", "first token", "answer"));
  EXPECT_THAT(times, ElementsAre("90000000000 100000000000", "90000000000 91000000000", "91000000000 92000000000",
                                 "92000000000 93000000000", "93000000000 100000000000"));
  for (std::size_t i = 1; i < spans.size(); ++i) EXPECT_EQ(spans[i].at("parentSpanId"), spans[0].at("spanId"));
  EXPECT_FALSE(spans[0].contains("parentSpanId"));
  EXPECT_EQ(spans[0].at("status").at("code"), 1);
  EXPECT_EQ(spans[0].at("kind"), 2);
  const auto text = dump_json_line(spans[0].at("attributes"));
  EXPECT_THAT(text, HasSubstr(R"({"key":"gen_ai.usage.output_tokens","value":{"intValue":"20"}})"));
  EXPECT_THAT(text, HasSubstr(R"({"key":"liftlock.key.id","value":{"stringValue":"key_1"}})"));
}

TEST(RequestTraceTest, JoinsTheTraceOfTheClientAndSaysWhatFailed) {
  auto failed = a_trace();
  failed.parent = parse_traceparent(k_parent);
  failed.outcome = "failed";
  failed.loaded = failed.ready = failed.first = 0s;
  const auto request = otlp_request({failed}, [] { return 5; });
  ASSERT_EQ(spans_of(request).size(), 1u);
  const auto& root = spans_of(request)[0];
  EXPECT_EQ(root.at("traceId"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(root.at("parentSpanId"), "b7ad6b7169203331");
  EXPECT_EQ(root.at("status").at("code"), 2);
}

class TraceExporterTest : public ::testing::Test {
 protected:
  void collect() {
    HttpServerOptions options;
    options.threads = 2;
    options.max_body = [](std::string_view, std::string_view) { return std::uint64_t{64} << 20; };
    collector.emplace(options, [this](const HttpRequest& request) {
      const std::lock_guard lock(mutex);
      if (answer_status == 200) {
        targets.emplace_back(request.path);
        const auto document = parse_json(request.body);
        for (const auto& span : spans_of(document)) spans.push_back(span);
      }
      return text_response(answer_status, "application/json", "{}");
    });
    collector->start();
  }
  TraceExporterOptions to(const std::string& url, std::string_view network = "127.0.0.0/8") const {
    auto address = *HttpAddress::parse(url + "/otlp");
    auto networks = std::make_shared<const Networks>(std::vector<Network>{*Network::parse(network)});
    return {.collector = {std::move(address), std::move(networks), nullptr}, .gather = 10ms, .longest_rest = 50ms};
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return spans.size();
  }
  static bool soon(const std::function<bool()>& is_so) {
    for (int i = 0; i < 6000; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  std::mutex mutex;
  std::atomic<int> answer_status = 200;
  std::vector<std::string> targets;
  std::vector<Json> spans;
  std::optional<HttpServer> collector;
};

TEST_F(TraceExporterTest, SendsBatchesToTheCollectorAndWhatWaitsAtTheEnd) {
  collect();
  {
    TraceExporter exporter(to(collector->url()));
    exporter.add(a_trace());
    EXPECT_TRUE(soon([&] { return exporter.sent() == 1; }));
    for (int i = 0; i < 1000; ++i) exporter.add(a_trace());
    EXPECT_TRUE(soon([&] { return exporter.sent() == 1001; }));
    EXPECT_THAT(exporter.metrics(), HasSubstr("liftlock_traces_sent_total 1001\n"));
    exporter.add(a_trace());
  }
  EXPECT_EQ(count(), 1002u * 5);
  EXPECT_EQ(targets[0], "/otlp/v1/traces");
  EXPECT_LT(targets.size(), 20u);
}

TEST_F(TraceExporterTest, LeavesOutWhatTheClientDoesNotWantSampled) {
  collect();
  {
    TraceExporter exporter(to(collector->url()));
    auto unwanted = a_trace();
    unwanted.parent = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    exporter.add(unwanted);
  }
  EXPECT_EQ(count(), 0u);
}

TEST_F(TraceExporterTest, KeepsABatchWhileTheCollectorIsBusy) {
  answer_status = 503;
  collect();
  TraceExporter exporter(to(collector->url()));
  exporter.add(a_trace());
  std::this_thread::sleep_for(100ms);
  answer_status = 200;
  EXPECT_TRUE(soon([&] { return exporter.sent() == 1; }));
  EXPECT_EQ(exporter.dropped(), 0u);
}

TEST_F(TraceExporterTest, CountsWhatTheCollectorRefuses) {
  answer_status = 400;
  collect();
  TraceExporter exporter(to(collector->url()));
  exporter.add(a_trace());
  EXPECT_TRUE(soon([&] { return exporter.dropped() == 1; }));
}

TEST_F(TraceExporterTest, ADeadCollectorHoldsNobodyUp) {
  std::string url;
  {
    collect();
    url = collector->url();
    collector.reset();
  }
  const auto begin = std::chrono::steady_clock::now();
  {
    auto options = to(url);
    options.queue = 100;
    TraceExporter exporter(options);
    for (int i = 0; i < 10'000; ++i) exporter.add(a_trace());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
    EXPECT_GE(exporter.dropped(), 9000u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 40s);
}

TEST_F(TraceExporterTest, GoesToAllowedNetworksOnly) {
  collect();
  TraceExporter exporter(to(collector->url(), "10.0.0.0/8"));
  exporter.add(a_trace());
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(exporter.sent(), 0u);
  EXPECT_EQ(count(), 0u);
}

}  // namespace
}  // namespace liftlock
