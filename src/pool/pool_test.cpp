// Pools over stand-ins: our own server, on loopback, in the place of vLLM and TEI.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "base/code_of.hpp"
#include "base/soon.hpp"
#include "net/server.hpp"
#include "pool/dialect.hpp"
#include "pool/pools.hpp"

namespace liftlock::pool {
namespace {

using testing::ElementsAre;
using namespace std::chrono_literals;

/// An endpoint that lists what it is told to.
class StandIn {
 public:
  explicit StandIn(std::string lists) : m_lists(std::move(lists)) {
    HttpServerOptions options;
    options.threads = 1;
    m_server = std::make_unique<HttpServer>(options, [this](const HttpRequest& request) {
      authorized = request.header("Authorization") == "Bearer secret";
      ++asked;
      if (!healthy) return text_response(500, "text/plain", "no");
      return text_response(200, "application/json", request.path == "/v1/models" ? m_lists : "{}");
    });
    m_server->start();
  }
  HttpAddress address() const { return HttpAddress::parse(m_server->url()).value(); }

  std::atomic<bool> healthy = true, authorized = false;
  std::atomic<int> asked = 0;

 private:
  std::string m_lists;
  std::unique_ptr<HttpServer> m_server;
};

const char* const k_lists = R"({"object":"list","data":[{"id":"Qwen/Qwen2.5","object":"model"}]})";

std::shared_ptr<const Networks> loopback() {
  return std::make_shared<Networks>(std::vector{Network::parse("127.0.0.0/8").value()});
}

Settings gpu(std::vector<HttpAddress> endpoints) {
  Settings settings;
  settings.name = "gpu";
  settings.endpoints = std::move(endpoints);
  settings.models = {{"qwen", "Qwen/Qwen2.5"}};
  settings.credential = "secret";
  settings.slots = 2;
  settings.probe_every = 50ms;
  return settings;
}

/// How many of the endpoints are up, once all were looked at.
std::size_t up(const Pools& pools) {
  std::size_t count = 0;
  for (const auto& state : pools.states()) count += state.up ? 1 : 0;
  return count;
}

TEST(Pools, KnowTheirModelsByPoolAndName) {
  const Pools pools({gpu({HttpAddress::parse("http://127.0.0.1:1").value()})}, loopback());
  ASSERT_NE(pools.find("gpu/qwen"), nullptr);
  EXPECT_EQ(pools.find("gpu/qwen")->upstream, "Qwen/Qwen2.5");
  EXPECT_EQ(pools.find("qwen"), nullptr);
  EXPECT_EQ(pools.find("gpu/other"), nullptr);
}

TEST(Pools, TheLeastBusyIsAskedAndTheIdleTakeTurns) {
  const StandIn a(k_lists), b(k_lists);
  const Pools pools({gpu({a.address(), b.address()})}, loopback());
  const auto& model = *pools.find("gpu/qwen");
  const auto first = pools.seat(model, {});
  auto second = pools.seat(model, {});
  EXPECT_NE(first->text(), second->text());
  const auto of_second = second->text();
  second.reset();
  auto third = pools.seat(model, {});
  EXPECT_EQ(third->text(), of_second);
  third.reset();
  const auto fourth = pools.seat(model, {}), fifth = pools.seat(model, {}), sixth = pools.seat(model, {});
  EXPECT_EQ(code_of([&] { pools.seat(model, {}); }), ErrorCode::overloaded);
}

TEST(Pools, WhatFailedIsNotAskedAgain) {
  const StandIn a(k_lists), b(k_lists);
  const Pools pools({gpu({a.address(), b.address()})}, loopback());
  const auto& model = *pools.find("gpu/qwen");
  const auto first = pools.seat(model, {});
  const auto second = pools.seat(model, std::vector{first});
  EXPECT_NE(first->text(), second->text());
  EXPECT_EQ(code_of([&] { pools.seat(model, std::vector{first, second}); }), ErrorCode::engine_unavailable);
}

TEST(Pools, SeeWhoIsDownAndWhoComesBack) {
  StandIn a(k_lists);
  const Pools pools({gpu({a.address(), HttpAddress::parse("http://127.0.0.1:1").value()})}, loopback());
  EXPECT_TRUE(soon([&] { return up(pools) == 1; }));
  EXPECT_TRUE(a.authorized);
  a.healthy = false;
  EXPECT_TRUE(soon([&] { return up(pools) == 0; }));
  EXPECT_EQ(code_of([&] { pools.seat(*pools.find("gpu/qwen"), {}); }), ErrorCode::engine_unavailable);
  a.healthy = true;
  EXPECT_TRUE(soon([&] { return up(pools) == 1; }));
  EXPECT_NE(pools.seat(*pools.find("gpu/qwen"), {}), nullptr);
}

TEST(Pools, WhoDoesNotListAModelIsNotAskedForIt) {
  const StandIn other(R"({"data":[{"id":"llama"}]})");
  const Pools pools({gpu({other.address()})}, loopback());
  EXPECT_TRUE(soon([&] { return other.asked > 1; }));
  EXPECT_EQ(code_of([&] { pools.seat(*pools.find("gpu/qwen"), {}); }), ErrorCode::engine_unavailable);
}

TEST(Pools, WhoFailsThreeTimesRests) {
  const StandIn a(k_lists), b(k_lists);
  const Pools pools({gpu({a.address(), b.address()})}, loopback());
  const auto& model = *pools.find("gpu/qwen");
  const auto resting = pools.seat(model, {})->text();
  for (int i = 0; i < 3; ++i) {
    auto seat = pools.seat(model, {});
    if (seat->text() != resting) seat = pools.seat(model, std::vector{seat});
    ASSERT_EQ(seat->text(), resting);
    seat->blame();
  }
  EXPECT_EQ(up(pools), 1u);
  for (int i = 0; i < 4; ++i) EXPECT_NE(pools.seat(model, {})->text(), resting);
}

TEST(Pools, WhoCannotBeReachedIsLeftAloneUntilSeen) {
  const StandIn a(k_lists);
  auto settings = gpu({a.address()});
  settings.probe_every = 1h;
  const Pools pools({settings}, loopback());
  EXPECT_TRUE(soon([&] { return a.asked == 1; }));
  std::this_thread::sleep_for(1s);
  pools.seat(*pools.find("gpu/qwen"), {})->unreachable("gone");
  EXPECT_EQ(code_of([&] { pools.seat(*pools.find("gpu/qwen"), {}); }), ErrorCode::engine_unavailable);
  EXPECT_EQ(pools.states().at(0).why_down, "gone");
}

TEST(Pools, AnEndpointOutsideOfTheNetworksIsNotAsked) {
  const StandIn a(k_lists);
  const Pools pools({gpu({a.address()})},
                    std::make_shared<Networks>(std::vector{Network::parse("10.0.0.0/8").value()}));
  EXPECT_TRUE(soon([&] { return up(pools) == 0; }));
  EXPECT_THAT(pools.states().at(0).why_down, testing::HasSubstr("networks"));
  EXPECT_EQ(a.asked, 0);
}

TEST(Dialect, TheModelIsCalledAsTheEndpointCallsIt) {
  const Model model{"gpu/qwen", "Qwen/Qwen2.5", Api::openai};
  const auto call = call_of(model, "/v1/chat/completions", {{"model", "gpu/qwen"}, {"messages", Json::array()}});
  EXPECT_EQ(call.path, "/v1/chat/completions");
  EXPECT_EQ(call.body.at("model"), "Qwen/Qwen2.5");
  EXPECT_EQ(answer_of(model, call, {{"model", "Qwen/Qwen2.5"}, {"choices", Json::array()}}).at("model"), "gpu/qwen");
  EXPECT_EQ(code_of([&] { answer_of(model, call, Json::array()); }), ErrorCode::engine_failed);
}

TEST(Dialect, TextEmbeddingsInferenceRanksInItsOwnForm) {
  const Model model{"rank/bge", "BAAI/bge", Api::tei};
  const auto call = call_of(model, "/v1/rerank",
                            {{"model", "rank/bge"},
                             {"query", "lock"},
                             {"documents", {"canal", "door", "sea"}},
                             {"top_n", 2},
                             {"return_documents", true}});
  EXPECT_EQ(call.path, "/rerank");
  EXPECT_THAT(call.body.at("texts"), ElementsAre("canal", "door", "sea"));
  EXPECT_EQ(call.body.at("return_text"), true);
  const auto answer = answer_of(model, call,
                                {{{"index", 1}, {"score", 0.1}},
                                 {{"index", 0}, {"score", 0.9}, {"text", "canal"}},
                                 {{"index", 2}, {"score", 0.0}}});
  ASSERT_EQ(answer.at("results").size(), 2u);
  EXPECT_EQ(answer.at("results")[0].at("index"), 0);
  EXPECT_EQ(answer.at("results")[0].at("document").at("text"), "canal");
  EXPECT_EQ(answer.at("results")[1].at("relevance_score"), 0.1);
  EXPECT_EQ(code_of([&] { answer_of(model, call, {{"error", "x"}}); }), ErrorCode::engine_failed);
  EXPECT_EQ(code_of([&] { answer_of(model, call, Json::array({{{"index", "0"}}})); }), ErrorCode::engine_failed);
  EXPECT_EQ(code_of([&] { call_of(model, "/v1/chat/completions", Json::object()); }), ErrorCode::bad_request);
}

TEST(Dialect, ImagesComeWithoutLinks) {
  const Model model{"paint/sd", "sd-cpp-local", Api::openai};
  const auto call = call_of(model, "/v1/images/generations", {{"prompt", "a lock"}});
  const auto answer = answer_of(model, call, parse_json(R"({"created":7,"path":"/tmp",
      "data":[{"b64_json":"iVBO","url":"http://10.0.0.5/x.png"}]})"));
  EXPECT_EQ(answer, parse_json(R"({"created":7,"data":[{"b64_json":"iVBO"}]})"));
  EXPECT_EQ(code_of([&] { answer_of(model, call, parse_json(R"({"data":[{"url":"http://10.0.0.5/x.png"}]})")); }),
            ErrorCode::engine_failed);
}

TEST(Dialect, ListsOfModelsAreForeignText) {
  EXPECT_THAT(listed_models(k_lists), ElementsAre("Qwen/Qwen2.5"));
  EXPECT_THAT(listed_models(R"({"data":[{"id":1},2,{}]})"), testing::IsEmpty());
  for (const auto* text : {"[]", "{}", R"({"data":{}})", "3"}) {
    EXPECT_EQ(code_of([&] { listed_models(text); }), ErrorCode::engine_failed) << text;
  }
}

}  // namespace
}  // namespace liftlock::pool
