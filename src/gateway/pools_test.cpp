// The gateway in front of endpoints on other machines, which misbehave on demand; asked by curl.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/soon.hpp"
#include "engine/model_fixture.hpp"
#include "gateway/gateway.hpp"
#include "net/server.hpp"
#include "os/process.hpp"
#include "record/record_reader.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::chrono_literals;

/// What an endpoint does to a request for a model; it lists its models, or is healthy, in any case.
enum class Way { good, refuses, fails, dies_before, dies_between, slow, lingers, hostile };

/// A server on loopback in the place of vLLM: each answer ends its connection.
class StandIn {
 public:
  explicit StandIn(Way does) : way(does), m_listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(m_listener.get(), 16), 0);
    ::getsockname(m_listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    m_port = ntohs(address.sin_port);
    m_thread = std::thread([this] { run(); });
  }
  ~StandIn() {
    stop();
    for (auto& thread : m_peers) thread.join();
  }
  void stop() {
    ::shutdown(m_listener.get(), SHUT_RDWR);
    if (m_thread.joinable()) m_thread.join();
    m_listener.reset();
  }

  HttpAddress address() const { return HttpAddress::parse(fmt::format("http://127.0.0.1:{}", m_port)).value(); }
  std::string last_request() const {
    const std::lock_guard lock(m_mutex);
    return m_request;
  }

  std::atomic<Way> way;
  std::atomic<int> asked = 0;
  std::atomic<bool> client_left = false;

 private:
  void run() {
    for (;;) {
      const int peer = ::accept(m_listener.get(), nullptr, nullptr);
      if (peer < 0) return;
      m_peers.emplace_back([this, peer] { serve(UniqueFd(peer)); });
    }
  }

  static std::string read_request(const UniqueFd& peer) {
    std::string text;
    char block[4096];
    for (;;) {
      const auto end = text.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto at = text.find("Content-Length: ");
        const auto length = at < end ? std::strtoul(text.c_str() + at + 16, nullptr, 10) : 0;
        if (text.size() >= end + 4 + length) return text;
      }
      const auto got = ::read(peer.get(), block, sizeof block);
      if (got <= 0) return text;
      text.append(block, static_cast<std::size_t>(got));
    }
  }

  static void say(const UniqueFd& peer, const std::string& text) {
    ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  static void whole(const UniqueFd& peer, const std::string& status, const std::string& body) {
    say(peer, fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
                          "Connection: close\r\n\r\n{}",
                          status, body.size(), body));
  }
  static std::string event(const std::string& words) {
    const auto data =
        R"(data: {"model":"Qwen/Qwen2.5","choices":[{"index":0,"delta":{"content":")" + words + "\"}}]}\n\n";
    return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
  }

  void serve(const UniqueFd& peer) {
    const auto request = read_request(peer);
    if (request.empty()) return;  // a look at it that ended with its pools
    if (request.starts_with("GET /v1/models")) return whole(peer, "200 OK", R"({"data":[{"id":"Qwen/Qwen2.5"}]})");
    if (request.starts_with("GET /health")) return whole(peer, "200 OK", "");
    ++asked;
    {
      const std::lock_guard lock(m_mutex);
      m_request = request;
    }
    const bool streams = request.find(R"("stream":true)") != std::string::npos;
    switch (way) {
      case Way::refuses:
        return whole(peer, "400 Bad Request", R"({"object":"error","message":"x","error":{"message":"too long"}})");
      case Way::fails:
        return whole(peer, "500 Internal Server Error", R"({"error":{"message":"out of memory"}})");
      case Way::dies_before:
        return;
      case Way::slow:
        wait_until_client_leaves(peer);
        return;
      case Way::hostile:
        return whole(peer, "200 OK", R"(["\u0000",)" + std::string(60, '['));
      default:
        break;
    }
    if (request.starts_with("POST /v1/images/generations")) {
      return whole(peer, "200 OK", R"({"created":7,"data":[{"b64_json":"iVBO"}],"output_format":"png"})");
    }
    if (request.starts_with("POST /v1/rerank")) {
      return whole(peer, "200 OK",
                   R"({"model":"Qwen/Qwen2.5","usage":{"total_tokens":9},"results":[)"
                   R"({"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]})");
    }
    if (request.starts_with("POST /rerank")) {
      return whole(peer, "200 OK", R"([{"index":0,"score":0.1},{"index":1,"score":0.9}])");
    }
    if (!streams && way == Way::lingers) {
      say(peer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"model\":");
      return wait_until_client_leaves(peer);
    }
    if (!streams) {
      return whole(peer, "200 OK",
                   R"({"model":"Qwen/Qwen2.5","choices":[{"message":{"role":"assistant","content":"Far away."},)"
                   R"("finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3}})");
    }
    // At once: a gateway that waits little for the next piece must not wait for the first one.
    say(peer,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + event("Far "));
    if (way == Way::dies_between) return;
    if (way == Way::lingers) return wait_until_client_leaves(peer);
    say(peer, event("away."));
    say(peer, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
  }

  void wait_until_client_leaves(const UniqueFd& peer) {
    char byte = 0;
    while (::read(peer.get(), &byte, 1) > 0) continue;
    client_left = true;
  }

  UniqueFd m_listener;
  std::uint16_t m_port = 0;
  std::thread m_thread;
  std::vector<std::thread> m_peers;
  mutable std::mutex m_mutex;
  std::string m_request;
};

struct Heard {
  int exit = 0;
  int status = 0;
  std::string head, body;
  std::string record() const {
    const std::string name = "\r\nX-Liftlock-Record: ";
    const auto at = head.find(name);
    return at == std::string::npos ? "" : head.substr(at + name.size(), 26);
  }
};

class PoolGatewayTest : public ::testing::Test {
 protected:
  void serve(const std::vector<const StandIn*>& endpoints, std::map<std::string, std::string> roles = {}) {
    engine::HostOptions options;
    options.store_folder = fixture.store.folder();
    options.catalog_file = fixture.store.folder() / "catalog.db";
    options.aliases_file = state() / "aliases.json";
    options.engines_folder = fixture.engines();
    options.log_folder = state() / "logs";
    host.emplace(options, log, "tester");
    speech.emplace(engine::SpeechOptions{.store_folder = options.store_folder,
                                         .engines_folder = options.engines_folder,
                                         .defaults_file = {},
                                         .gate = {},
                                         .log_folder = state() / "logs"},
                   log, "tester");
    book.emplace(RecordBook::Options{.folder = state() / "records", .kek_file = state() / "keys" / "record.kek"}, log);
    gatekeeper.emplace(state() / "access.db");
    gpu.name = "gpu";
    gpu.endpoints.clear();
    for (const auto* endpoint : endpoints) gpu.endpoints.push_back(endpoint->address());
    gpu.models = {{"qwen", "Qwen/Qwen2.5"}};
    gpu.credential = "secret";
    gpu.limits.first_byte = 2s;
    gpu.probe_every = 100ms;
    pools.emplace(std::vector{gpu}, std::make_shared<Networks>(std::vector{Network::parse("127.0.0.0/8").value()}));
    gateway.emplace(GatewayParts{options.catalog_file, options.aliases_file, *host, *speech, *pools, std::move(roles),
                                 *book, *gatekeeper, log, "tester"});
    HttpServerOptions http;
    http.threads = 2;
    http.max_body = &Gateway::max_body;
    server.emplace(http, [this](const HttpRequest& request) { return gateway->handle(request); });
    server->start();
  }

  fs::path state() const { return fixture.folder.path(); }
  std::string add_key(const std::vector<std::string>& models) {
    ApiKey wanted;
    wanted.id = KeyRing::new_id();
    wanted.user = "ada";
    wanted.models = models;
    return KeyRing(state() / "access.db").add(wanted);
  }

  Heard curl(std::vector<std::string> more, const std::string& path, const std::string& input) const {
    ProcessSpec spec;
    spec.argv = {"curl", "-sSi", "--no-buffer", "-H", "Authorization: Bearer " + key, server->url() + path};
    spec.argv.insert(spec.argv.end(), more.begin(), more.end());
    spec.input = input;
    const auto result = run_process(spec);
    Heard heard{.exit = result.status, .status = 0, .head = {}, .body = {}};
    const auto end = result.output.find("\r\n\r\n");
    if (end == std::string::npos) return heard;
    heard.head = result.output.substr(0, end + 2);
    heard.body = result.output.substr(end + 4);
    heard.status = std::stoi(heard.head.substr(9, 3));
    return heard;
  }
  Heard get(const std::string& path) const { return curl({}, path, ""); }
  Heard ask(const std::string& more = "", const std::string& model = "gpu/qwen",
            const std::string& seconds = "20") const {
    return curl({"--data-binary", "@-", "--max-time", seconds}, "/v1/chat/completions",
                R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hello"}])" + more + "}");
  }
  Record record_of(const Heard& heard) const {
    return RecordReader(state() / "records", state() / "keys" / "record.kek").read(heard.record());
  }

  engine::testing_support::ModelFixture fixture;
  AuditLog log{state() / "audit", "test"};
  std::string key = add_key({});
  pool::Settings gpu;  ///< a test may change what serve() leaves alone
  std::optional<engine::ModelHost> host;
  std::optional<engine::SpeechHost> speech;
  std::optional<RecordBook> book;
  std::optional<Gatekeeper> gatekeeper;
  std::optional<pool::Pools> pools;
  std::optional<Gateway> gateway;
  std::optional<HttpServer> server;
};

const char* const k_streamed = R"(,"stream":true)";

TEST_F(PoolGatewayTest, AnEndpointAnswersAndItsAnswerIsOnRecord) {
  const StandIn good(Way::good);
  serve({&good}, {{"cognitive.scout", "pool://gpu/qwen"}});
  for (const auto* model : {"gpu/qwen", "pool://gpu/qwen", "cognitive.scout"}) {
    const auto whole = ask("", model);
    ASSERT_EQ(whole.status, 200) << whole.body;
    EXPECT_EQ(parse_json(whole.body).at("choices")[0].at("message").at("content"), "Far away.");
    EXPECT_EQ(parse_json(whole.body).at("model"), "gpu/qwen");
    const auto streamed = ask(k_streamed, model);
    EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n")) << streamed.body;
    EXPECT_THAT(streamed.body, Not(HasSubstr("Qwen/")));
    for (const auto* heard : {&whole, &streamed}) {
      const auto record = record_of(*heard);
      EXPECT_EQ(record.head.model, "gpu/qwen");
      EXPECT_EQ(record.head.model_digest, "");
      EXPECT_EQ(record.head.engine, "gpu at " + good.address().text());
      EXPECT_EQ(record.answer, "Far away.");
      EXPECT_EQ(record.outcome.at("outcome"), "success");
    }
  }
  EXPECT_THAT(good.last_request(), HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(good.last_request(), HasSubstr(R"("model":"Qwen/Qwen2.5")"));
  EXPECT_THAT(good.last_request(), Not(HasSubstr(key)));
}

TEST_F(PoolGatewayTest, ModelsAndRolesAreListedForThoseWhoMayAskThem) {
  const StandIn good(Way::good);
  fixture.add_model("demo", "GGUF");
  serve({&good}, {{"cognitive.scout", "local://demo"}, {"execution.worker", "pool://gpu/qwen"}});
  const auto names = [&] {
    std::vector<std::string> out;
    const auto document = parse_json(get("/v1/models").body);
    for (const auto& model : document.at("data")) out.push_back(model.at("id"));
    return out;
  };
  EXPECT_THAT(names(), testing::ElementsAre("demo", "gpu/qwen", "cognitive.scout", "execution.worker"));
  EXPECT_EQ(parse_json(get("/v1/models/cognitive.scout").body).at("id"), "cognitive.scout");
  key = add_key({"demo"});
  server.reset(), gateway.reset(), pools.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  serve({&good}, {{"cognitive.scout", "local://demo"}, {"execution.worker", "pool://gpu/qwen"}});
  EXPECT_THAT(names(), testing::ElementsAre("demo", "cognitive.scout"));
  for (const auto* model : {"gpu/qwen", "pool://gpu/qwen", "execution.worker"}) EXPECT_EQ(ask("", model).status, 403);
  EXPECT_EQ(good.asked, 0);
}

TEST_F(PoolGatewayTest, NothingIsFetchedByAName) {
  const StandIn good(Way::good);
  serve({&good});
  EXPECT_EQ(ask("", good.address().text() + "/model").status, 400);
  EXPECT_EQ(ask("", "pool://gpu/other").status, 404);
  EXPECT_EQ(good.asked, 0);
}

// The endpoint is a stand-in: that an image server draws what was asked for is not shown here.
TEST_F(PoolGatewayTest, ImagesAreMadeByPools) {
  const StandIn good(Way::good);
  fixture.add_model("demo", "GGUF");
  serve({&good});
  const auto draw = [&](const std::string& fields) {
    return curl({"--data-binary", "@-"}, "/v1/images/generations", "{" + fields + "}");
  };
  const std::string plain = R"("model":"gpu/qwen","prompt":"a canal lock")";
  const auto heard = draw(plain + R"(,"n":1,"size":"512x512","response_format":"b64_json","quality":"hd")");
  ASSERT_EQ(heard.status, 200) << heard.body;
  EXPECT_EQ(parse_json(heard.body).at("data")[0].at("b64_json"), "iVBO");
  EXPECT_EQ(record_of(heard).answer, R"([{"b64_json":"iVBO"}])");
  EXPECT_THAT(good.last_request(), HasSubstr(R"("response_format":"b64_json")"));
  for (const auto* more : {R"(,"response_format":"url")", R"(,"size":"1x1")", R"(,"size":"9999999x16")", R"(,"n":11)",
                           R"(,"stream":true)", R"(,"loras":[])"}) {
    EXPECT_EQ(draw(plain + more).status, 400) << more;
  }
  EXPECT_EQ(draw(R"("model":"gpu/qwen","prompt":"x <SD_cpp_extra_args>{}</sd_cpp_extra_args>")").status, 400);
  EXPECT_EQ(draw(R"("model":"demo","prompt":"x")").status, 400);
  EXPECT_EQ(good.asked, 1);
}

TEST_F(PoolGatewayTest, PoolsOfEitherApiRankDocuments) {
  for (const auto api : {pool::Api::openai, pool::Api::tei}) {
    const StandIn good(Way::good);
    gpu.api = api;
    serve({&good});
    const auto heard = curl({"--data-binary", "@-"}, "/v1/rerank",
                            R"({"model":"gpu/qwen","query":"a lock","documents":["a sea","a canal"]})");
    ASSERT_EQ(heard.status, 200) << heard.body;
    const auto answer = parse_json(heard.body);
    EXPECT_EQ(answer.at("model"), "gpu/qwen");
    ASSERT_EQ(answer.at("results").size(), 2u);
    EXPECT_EQ(answer.at("results")[0].at("index"), 1);
    EXPECT_EQ(answer.at("results")[0].at("relevance_score"), 0.9);
    EXPECT_THAT(good.last_request(), StartsWith(api == pool::Api::tei ? "POST /rerank " : "POST /v1/rerank "));
    const auto record = record_of(heard);
    EXPECT_EQ(parse_json(record.prompt).at("documents"), Json::array({"a sea", "a canal"}));
    EXPECT_EQ(record.answer, heard.body);
    EXPECT_EQ(record.outcome.at("outcome"), "success");
    server.reset(), gateway.reset(), pools.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  }
}

TEST_F(PoolGatewayTest, AnotherEndpointIsAskedBeforeTheFirstByte) {
  for (const auto way : {Way::fails, Way::dies_before, Way::slow}) {
    for (const auto* more : {"", k_streamed}) {
      StandIn bad(way);
      const StandIn good(Way::good);
      serve({&bad, &good});
      for (int i = 0; i < 2; ++i) {
        const auto heard = ask(more);
        EXPECT_EQ(heard.status, 200) << heard.body;
        EXPECT_EQ(record_of(heard).answer, "Far away.");
      }
      EXPECT_GT(bad.asked, 0);
      EXPECT_EQ(good.asked, 2);
      server.reset(), gateway.reset(), pools.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
    }
  }
}

TEST_F(PoolGatewayTest, WhoFailsAgainAndAgainIsLeftAlone) {
  StandIn bad(Way::fails);
  const StandIn good(Way::good);
  serve({&bad, &good});
  for (int i = 0; i < 12; ++i) EXPECT_EQ(ask().status, 200);
  EXPECT_EQ(bad.asked, 3);
  EXPECT_THAT(gateway->metrics(), HasSubstr(fmt::format("liftlock_pool_endpoint_up{{pool=\"gpu\",endpoint=\"{}\"}} 0",
                                                        bad.address().text())));
}

TEST_F(PoolGatewayTest, ARequestThatEveryEndpointFailsTakesNoneFromOthers) {
  StandIn a(Way::fails), b(Way::fails);
  serve({&a, &b});
  for (int i = 0; i < 5; ++i) {
    const auto heard = ask();
    EXPECT_EQ(heard.status, 502);
    EXPECT_THAT(heard.body, Not(HasSubstr("out of memory"))) << "an endpoint's own words stay inside";
  }
  EXPECT_EQ(a.asked + b.asked, 10);
  a.way = b.way = Way::good;
  EXPECT_EQ(ask().status, 200);
}

TEST_F(PoolGatewayTest, WhatTheRequestIsRefusedForIsNotTriedElsewhere) {
  const StandIn a(Way::refuses), b(Way::refuses);
  serve({&a, &b});
  const auto heard = ask();
  EXPECT_EQ(heard.status, 400);
  EXPECT_THAT(heard.body, Not(HasSubstr("too long"))) << "an endpoint's own words stay inside";
  EXPECT_EQ(a.asked + b.asked, 1);
}

TEST_F(PoolGatewayTest, AnEndpointThatDiesWhileItAnswersEndsTheAnswer) {
  const StandIn dying(Way::dies_between), good(Way::good);
  serve({&dying});
  const auto heard = ask(k_streamed);
  EXPECT_EQ(heard.status, 200);
  EXPECT_THAT(heard.body, HasSubstr("Far "));
  EXPECT_THAT(heard.body, HasSubstr(R"({"error":)"));
  EXPECT_THAT(heard.body, Not(HasSubstr("[DONE]")));
  EXPECT_THAT(heard.body, Not(HasSubstr("127.0.0.1")));
  EXPECT_THAT(heard.body, HasSubstr("in the middle of its answer"));
  EXPECT_THAT(heard.body, HasSubstr("engine-failed"));
  EXPECT_EQ(record_of(heard).answer, "Far ");
  EXPECT_EQ(record_of(heard).outcome.at("outcome"), "failed");
  EXPECT_EQ(record_of(heard).outcome.at("code"), "engine-failed");
  EXPECT_EQ(dying.asked, 1);
}

TEST_F(PoolGatewayTest, AnEndpointThatStallsWhileItAnswersEndsTheAnswer) {
  gpu.limits.idle = 500ms;
  for (const bool streams : {false, true}) {
    const StandIn stalls(Way::lingers);
    serve({&stalls});
    const auto heard = ask(streams ? k_streamed : "");
    EXPECT_EQ(heard.exit, 0) << "the answer has an end";
    EXPECT_EQ(heard.status, streams ? 200 : 502);
    EXPECT_EQ(heard.body.find("Far ") != std::string::npos, streams) << heard.body;
    EXPECT_THAT(heard.body, HasSubstr(R"({"error":)"));
    EXPECT_THAT(heard.body, Not(HasSubstr("[DONE]")));
    EXPECT_THAT(heard.body, Not(HasSubstr("127.0.0.1")));
    EXPECT_EQ(record_of(heard).answer, streams ? "Far " : "");
    EXPECT_THAT(heard.body, HasSubstr("in the middle of its answer"));
    EXPECT_THAT(heard.body, HasSubstr("engine-failed"));
    EXPECT_EQ(record_of(heard).outcome.at("outcome"), "failed");
    EXPECT_EQ(record_of(heard).outcome.at("code"), "engine-failed");
    EXPECT_TRUE(soon([&] { return stalls.client_left.load(); }));
    EXPECT_EQ(stalls.asked, 1);
    EXPECT_EQ(pools->states().at(0).active, 0u);
    EXPECT_EQ(pools->states().at(0).failures, 1u);
    server.reset(), gateway.reset(), pools.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  }
}

TEST_F(PoolGatewayTest, WhoLeavesEndsTheWorkFarAway) {
  const StandIn lingers(Way::lingers);
  serve({&lingers});
  const auto heard = ask(k_streamed, "gpu/qwen", "5");
  EXPECT_NE(heard.exit, 0);
  EXPECT_THAT(heard.body, HasSubstr("Far "));
  EXPECT_TRUE(soon([&] { return lingers.client_left.load(); }));
  EXPECT_TRUE(soon([&] { return pools->states().at(0).active == 0; }));
  EXPECT_TRUE(soon([&] { return record_of(heard).outcome.at("outcome") == "client-gone"; }));
}

TEST_F(PoolGatewayTest, WithoutAnEndpointThereIsAClearAnswer) {
  StandIn gone(Way::good);
  gone.stop();
  serve({&gone});
  const auto heard = ask();
  EXPECT_EQ(heard.status, 503);
  EXPECT_THAT(heard.body, HasSubstr("no endpoint of its pool answers for 'gpu/qwen'"));
  EXPECT_THAT(heard.head, HasSubstr("Retry-After"));
  EXPECT_THAT(heard.body, Not(HasSubstr("127.0.0.1")));
}

TEST_F(PoolGatewayTest, AnswersAreForeignText) {
  const StandIn hostile(Way::hostile);
  serve({&hostile});
  const auto heard = ask();
  EXPECT_GE(heard.status, 400);
  EXPECT_THAT(heard.body, StartsWith(R"({"error":)"));
  EXPECT_EQ(record_of(heard).outcome.at("outcome"), "failed");
}

}  // namespace
}  // namespace liftlock
