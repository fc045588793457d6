// The gateway behind a real server, asked by curl, in front of an engine that misbehaves on demand.
#include "gateway/gateway.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/code_of.hpp"
#include "base/soon.hpp"
#include "crypto/hash.hpp"
#include "engine/engine_process.hpp"
#include "engine/model_fixture.hpp"
#include "gateway/engine_answer.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/record_desk.hpp"
#include "net/server.hpp"
#include "os/process.hpp"
#include "record/record_reader.hpp"

namespace liftlock {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::chrono_literals;

constexpr const char* k_chat = "/v1/chat/completions";

std::string chat(const std::string& words, const std::string& more = "", const std::string& model = "demo") {
  return R"({"model":")" + model + R"(","messages":[{"role":"user","content":")" + words + "\"}]" + more + "}";
}
const std::string k_streamed = R"(,"stream":true)";  // NOLINT(cert-err58-cpp)

std::string http_post(const std::string& path, const std::string& key, const std::string& body) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      path, key, body.size(), body);
}

/// Sends this to a server of this machine, and does not look at what it says; leaves when the descriptor goes.
UniqueFd sent(std::uint16_t port, std::string_view bytes) {
  UniqueFd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  while (!bytes.empty()) {
    const auto put = ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) {
      ADD_FAILURE() << "the server takes no more";
      break;
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return peer;
}

/// What curl got, whether the exchange was whole (exit 0) or not.
struct Heard {
  int exit = 0;
  int status = 0;
  std::string head, body;
  std::string told;  ///< on stderr

  std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  Json json() const { return parse_json(body); }
};

class GatewayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fixture.add_engine(LIFTLOCK_STAND_IN);
    if (!find_program("bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
    fixture.add_model("demo", "GGUF");
    key = add_key({});
  }

  fs::path state() const { return fixture.folder.path(); }

  std::string add_key(ApiKey wanted) {
    wanted.id = KeyRing::new_id();
    wanted.user = "ada";
    return KeyRing(state() / "access.db").add(wanted);
  }

  void serve(RecordMode mode = RecordMode::full, std::chrono::milliseconds let_go_within = 20s) {
    policy.mode = mode;
    engine::HostOptions options;
    options.store_folder = fixture.store.folder();
    options.catalog_file = fixture.store.folder() / "catalog.db";
    options.engines_folder = fixture.engines();
    options.aliases_file = state() / "aliases.json";
    options.log_folder = state() / "logs";
    options.patience = 20s;
    options.queue = queue;
    options.let_go_within = let_go_within;
    options.probe_every = probe_every;
    options.work_patience = work_patience;
    options.stuck_after = stuck_after;
    options.memory_slack = 64u << 20;
    options.gate.verity = engine::testing_support::no_verity();
    host.emplace(options, log, "tester");
    speech.emplace(engine::SpeechOptions{.store_folder = options.store_folder,
                                         .engines_folder = options.engines_folder,
                                         .defaults_file = {},
                                         .gate = {},
                                         .log_folder = state() / "logs"},
                   log, "tester");
    book.emplace(RecordBook::Options{.folder = records(), .kek_file = kek(), .mode = mode}, log);
    gatekeeper.emplace(state() / "access.db");
    gateway.emplace(GatewayParts{options.catalog_file,
                                 options.aliases_file,
                                 *host,
                                 *speech,
                                 pools,
                                 {},
                                 *book,
                                 *gatekeeper,
                                 log,
                                 "tester",
                                 policy,
                                 labels,
                                 nullptr,
                                 RecordReader(records(), kek()),
                                 state() / "access.db",
                                 speech_hint});
    HttpServerOptions http;
    http.threads = 2;
    http.max_body = &Gateway::max_body;
    http.refusal = &Gateway::refusal;
    http.admit = [this](const HttpRequest& request) { return gateway->admit(request); };
    http.observe = [this](const HttpExchange& exchange) {
      const std::lock_guard lock(observed_mutex);
      observed.push_back({exchange.status, exchange.whole, std::string(exchange.path), std::string(exchange.id),
                          exchange.note != nullptr ? *exchange.note : HttpNote()});
    };
    server.emplace(http, [this](const HttpRequest& request) { return gateway->handle(request); });
    server->start();
  }
  /// Puts the door of this machine's own commands in the server's place.
  void serve_locally() {
    HttpServerOptions http;
    http.threads = 1;
    http.max_body = &Gateway::max_local_body;
    server.emplace(http, [this](const HttpRequest& request) { return gateway->handle_local(request); });
    server->start();
  }
  /// Has the engine of "demo" up, so that its start does not take from a client's patience; nothing is on record of it.
  void load() {
    const auto up = std::make_shared<std::promise<fs::path>>();
    host->lease("demo", "warm", 60s, [up](const auto& result) {
      const auto* lease = std::get_if<0>(&result);
      up->set_value(lease != nullptr ? (*lease)->socket() : fs::path());
    });
    auto socket = up->get_future();
    ASSERT_EQ(socket.wait_for(20s), std::future_status::ready);
    engine_socket = socket.get();
  }

  Heard curl(const std::string& path, std::vector<std::string> more, const std::string& input = "",
             const std::string& seconds = "30") const {
    ProcessSpec spec;
    spec.argv = {"curl", "-sSi", "--no-buffer", "--max-time", seconds, "-H", "Expect:", server->url() + path};
    spec.argv.insert(spec.argv.end(), more.begin(), more.end());
    spec.input = input;
    const auto result = run_process(spec);
    Heard heard{.exit = result.status, .status = 0, .head = {}, .body = {}, .told = result.error_output};
    const auto end = result.output.find("\r\n\r\n");
    if (end == std::string::npos) return heard;
    heard.head = result.output.substr(0, end + 2);
    heard.body = result.output.substr(end + 4);
    heard.status = std::stoi(heard.head.substr(9, 3));
    return heard;
  }
  Heard get(const std::string& path) const { return curl(path, {"-H", "Authorization: Bearer " + key}); }
  Heard post(const std::string& path, const std::string& body, const std::string& secret,
             const std::string& seconds = "30") const {
    std::vector<std::string> arguments = {"--data-binary", "@-", "-H", "Content-Type: application/json"};
    if (!secret.empty()) arguments.insert(arguments.end(), {"-H", "Authorization: Bearer " + secret});
    return curl(path, arguments, body, seconds);
  }
  Heard ask(const std::string& body, const std::string& path = k_chat) const { return post(path, body, key); }
  /// So many clients at once ask this, and are gone as soon as the engine has it. After load().
  void leave(std::size_t clients, const std::string& words) const {
    std::vector<UniqueFd> open;
    while (open.size() < clients) open.push_back(sent(server->port(), http_post(k_chat, key, chat(words))));
    EXPECT_TRUE(soon([&] {
      const auto slots = engine::count_slots(engine_socket, 1s);
      return slots && slots->busy == clients;
    }));
  }

  fs::path records() const { return state() / "records"; }
  fs::path kek() const { return state() / "keys" / "record.kek"; }
  RecordReader reader() const { return {records(), kek()}; }
  Record record_of(const Heard& heard) const { return reader().read(heard.header("X-Liftlock-Record")); }
  /// Of the only record, once it has one.
  std::string outcome_of_the_record() const {
    std::string id, outcome;
    reader().find({}, [&](const RecordHead& head) { return !(id = head.id).empty(); });
    if (!id.empty()) outcome = reader().read(id).outcome.value("outcome", "");
    return outcome;
  }

  std::vector<AuditEvent> logged(const std::string& type) {
    std::vector<AuditEvent> out;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      if (entry.event.type == type) out.push_back(entry.event);
      return true;
    });
    return out;
  }
  struct Observed {
    int status;
    bool whole;
    std::string path, id;
    HttpNote note;
  };
  std::vector<Observed> all_observed() {
    const std::lock_guard lock(observed_mutex);
    return observed;
  }
  std::string engine_log() const { return read_file(state() / "logs/demo.log", 1u << 20); }

  engine::testing_support::ModelFixture fixture;
  AuditLog log{state() / "audit", "test"};
  std::string key;
  fs::path engine_socket;
  std::size_t queue = 64;
  std::chrono::milliseconds probe_every = 5s, work_patience = 10min, stuck_after = 30s;
  RecordPolicy policy;
  Labels labels;
  bool speech_hint = false;
  std::optional<engine::ModelHost> host;
  std::optional<engine::SpeechHost> speech;
  std::optional<RecordBook> book;
  std::optional<Gatekeeper> gatekeeper;
  const pool::Pools pools{{}, nullptr};
  std::optional<Gateway> gateway;
  std::mutex observed_mutex;
  std::vector<Observed> observed;
  std::optional<HttpServer> server;
};

/// Each API has a form of its own for what went wrong, which its clients look into.
void expect_error(const std::string& path, const Heard& heard, int status, const std::string& words) {
  EXPECT_EQ(heard.status, status) << path << heard.head << heard.body;
  EXPECT_EQ(heard.header("Content-Type"), "application/json") << path;
  const auto document = heard.json();
  if (path.starts_with("/api/")) {
    EXPECT_THAT(document.at("error").get<std::string>(), HasSubstr(words));
    return;
  }
  const auto& error = document.at("error");
  EXPECT_THAT(error.at("message").get<std::string>(), HasSubstr(words));
  EXPECT_THAT(error.at("type").get<std::string>(), Not(testing::IsEmpty()));
  if (path == "/v1/messages") {
    EXPECT_EQ(document.at("type"), "error");
  } else {
    EXPECT_TRUE(error.at("param").is_null());
    EXPECT_TRUE(error.at("code").is_string());
  }
}

/// One endpoint of each API, and a request that it takes.
std::vector<std::pair<std::string, std::string>> apis(const std::string& model = "demo") {
  return {{k_chat, chat("hello", "", model)},
          {"/v1/messages", chat("hello", R"(,"max_tokens":10)", model)},
          {"/api/chat", chat("hello", R"(,"stream":false)", model)}};
}

/// A request of this API, with ten thousand tools.
std::string with_many_tools(const std::string& path) {
  std::string tool = R"({"type":"function","function":{"name":"f","parameters":{}}})";
  if (path == "/v1/messages") tool = R"({"name":"f","input_schema":{"type":"object"}})";
  const std::string maximum = path == "/v1/messages" ? R"(,"max_tokens":9)" : "";
  std::string many = "[" + tool;
  for (int i = 1; i < 10'000; ++i) many += "," + tool;
  return chat("hi", maximum + R"(,"tools":)" + many + "]");
}

TEST_F(GatewayTest, WhoHasNoValidKeyIsRefusedInTheFormOfTheApi) {
  const auto expired = add_key({.id = {},
                                .user = {},
                                .role = UserRole::viewer,
                                .models = {},
                                .limits = {},
                                .expires = parse_time("2020-01-01T00:00:00Z"),
                                .label = {},
                                .created = {},
                                .revoked = {},
                                .revoked_reason = {}});
  const std::string wrong = "llk_" + std::string(43, 'x');
  const std::vector<std::string> secrets = {"", wrong, expired};
  for (std::size_t i = 0; i < 3; ++i) {
    serve();  // a fresh gatekeeper: it would slow us down
    for (const auto& [path, body] : apis()) {
      const auto heard = post(path, body, secrets[i]);
      expect_error(path, heard, 401, "no valid API key");
      EXPECT_THAT(heard.header("WWW-Authenticate"), StartsWith("Bearer"));
    }
    server.reset(), gateway.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  }
  std::vector<std::string> why;
  for (const auto& event : logged("access.failure")) {
    EXPECT_EQ(event.outcome, Outcome::failure);
    EXPECT_EQ(event.actor, "anonymous") << "the server did not try to log in";
    EXPECT_EQ(event.subject, "127.0.0.1");
    EXPECT_THAT(event.detail, Not(HasSubstr("llk_")));
    const auto detail = parse_json(event.detail);
    why.push_back(detail.at("why"));
    const auto found = KeyRing(state() / "access.db").list();
    const auto is_of_the_key = [&](const ApiKey& one) { return one.expires && one.id == detail.value("key", ""); };
    EXPECT_EQ(std::any_of(found.begin(), found.end(), is_of_the_key), why.back() == "expired") << event.detail;
  }
  EXPECT_THAT(
      why, ElementsAre("no key", "no key", "no key", "unknown", "unknown", "unknown", "expired", "expired", "expired"));
}

TEST_F(GatewayTest, GuessersAndHurriedOnesAreToldHowLongToWait) {
  ApiKey slow;
  slow.limits.requests_per_minute = 3;
  const auto hurried = add_key(slow);
  serve();
  for (const auto& [path, body] : apis()) EXPECT_EQ(post(path, body, hurried).status, 200);
  for (const auto& [path, body] : apis()) {
    const auto heard = post(path, body, hurried);
    expect_error(path, heard, 429, "requests of the minute");
    EXPECT_GT(std::stoi(heard.header("Retry-After")), 0);
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(post(k_chat, chat("hello"), "guess").status, 401);
  for (const auto& [path, body] : apis()) {
    const auto heard = post(path, body, "guess");
    expect_error(path, heard, 429, "too many attempts");
    EXPECT_GT(std::stoi(heard.header("Retry-After")), 0);
  }
  EXPECT_EQ(ask(chat("hello")).status, 200);
  server.reset(), gateway.reset();
  std::uint64_t failures = 0;
  for (const auto& event : logged("access.failure")) failures += parse_json(event.detail).value("count", 1u);
  EXPECT_EQ(failures, 5 + apis().size()) << "those that were slowed are in the log by their count";
  const auto last = logged("access.failure").back();
  EXPECT_EQ(parse_json(last.detail).at("why"), "slowed");
  EXPECT_EQ(last.subject, "127.0.0.1");
}

TEST_F(GatewayTest, WhoLoggedInIsInTheLogOnceADay) {
  serve();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get("/v1/models").status, 200);
  EXPECT_EQ(get("/api/version").status, 200);
  server.reset(), gateway.reset();
  const auto logins = logged("access.login");
  ASSERT_EQ(logins.size(), 1u);
  EXPECT_EQ(logins[0].actor, "ada");
  EXPECT_EQ(logins[0].subject, KeyRing(state() / "access.db").list().at(0).id);
  EXPECT_EQ(logins[0].outcome, Outcome::success);
  EXPECT_EQ(parse_json(logins[0].detail), Json({{"peer", "127.0.0.1"}}));
}

TEST_F(GatewayTest, KeysAreForTheirModels) {
  ApiKey narrow;
  narrow.models = {"other-*"};
  const auto elsewhere = add_key(narrow);
  ApiKey auditor;
  auditor.role = UserRole::auditor;
  const auto reads_records = add_key(auditor);
  serve();
  for (const auto& [path, body] : apis()) {
    expect_error(path, post(path, body, elsewhere), 403, "not for the model 'demo'");
    expect_error(path, post(path, body, reads_records), 403, "may not do this");
  }
  for (const auto& [path, body] : apis("nosuch")) expect_error(path, ask(body, path), 404, "no model 'nosuch'");
  EXPECT_EQ(curl("/v1/models", {"-H", "x-api-key: " + elsewhere}).json().at("data"), Json::array());
  EXPECT_EQ(get("/v1/models/demo").json().at("id"), "demo");
  EXPECT_EQ(get("/v1/models/nosuch").status, 404);
}

TEST_F(GatewayTest, WhatIsNoRequestIsRefused) {
  serve();
  for (const auto& [path, body] : apis()) {
    expect_error(path, ask(chat("hi", R"(,"max_tokens":9,"id_slot":3)"), path), 400, "id_slot");
    expect_error(path, ask(chat("\xff\xfe", R"(,"max_tokens":9)"), path), 400, "ill-formed UTF-8");
    expect_error(path, ask("", path), 400, "");
    expect_error(path, ask(chat("hi", R"(,"tools":)" + std::string(100'000, '[')), path), 413, "");
    expect_error(path, ask(with_many_tools(path), path), 400, "tools");
  }
  const auto wrong_method = get(k_chat);
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.header("Allow"), "POST");
  expect_error(k_chat, get("/v1/nothing"), 404, "/v1/nothing");
}

TEST_F(GatewayTest, WhoSendsTenThousandToolsAndLeavesAtOnceHarmsNobody) {
  serve();
  load();
  for (int i = 0; i < 8; ++i) {
    for (const auto& [path, unused] : apis()) {
      const auto request = http_post(path, key, with_many_tools(path));
      (void)sent(server->port(), request);
      (void)sent(server->port(), std::string_view(request).substr(0, request.size() / 2));
    }
  }
  const auto refused = [&] {
    const auto seen = all_observed();
    return std::count_if(seen.begin(), seen.end(), [](const auto& one) { return one.status == 400; });
  };
  EXPECT_TRUE(soon([&] { return refused() == 24; })) << refused();
  EXPECT_TRUE(soon([&] { return server->connections() == 0; })) << server->connections();
  for (const auto& [path, body] : apis()) EXPECT_EQ(ask(body, path).status, 200) << path;
  EXPECT_EQ(host->running().at(0).active, 0u);
  EXPECT_TRUE(logged("engine.stop").empty());
}

TEST_F(GatewayTest, WhatNeedsTheInternetIsRefusedAtOnceInTheFormOfTheApi) {
  serve();
  for (const auto* path : {"/api/push", "/api/signin", "/api/web_search", "/api/experimental/web_fetch"}) {
    expect_error(path, ask("{}", path), 403, "is not offered");
  }
  for (const auto* path : {"/api/create", "/api/copy", "/api/blobs/sha256:00"}) {
    expect_error(path, ask("{}", path), 409, "bundles");
  }
  expect_error("/api/pull", ask(R"({"model":"llama3"})", "/api/pull"), 403, "'llama3' is not here");
  expect_error("/api/push", post("/api/push", "{}", ""), 401, "no valid API key");
  const std::string maximum = R"(,"max_tokens":9)";
  const auto tool = [](const std::string& type) { return R"(,"tools":[{"type":")" + type + R"(","name":"w"}])"; };
  const auto search = ask(chat("hi", R"(,"web_search_options":{})"));
  expect_error(k_chat, search, 403, "web_search_options");
  EXPECT_EQ(search.json().at("error").at("code"), "offline");
  expect_error("/v1/messages", ask(chat("hi", maximum + tool("web_search_20250305")), "/v1/messages"), 403, "internet");
  expect_error("/v1/responses", ask(R"({"model":"demo","input":"x")" + tool("mcp") + "}", "/v1/responses"), 403,
               "internet");
}

TEST_F(GatewayTest, PullingWhatIsHereSucceeds) {
  serve();
  EXPECT_EQ(ask(R"({"model":"demo:latest","stream":false})", "/api/pull").json().at("status"), "success");
  const auto streamed = ask(R"({"name":"demo"})", "/api/pull");
  EXPECT_EQ(streamed.header("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(streamed.json().at("status"), "success");
}

TEST_F(GatewayTest, AModelIsLoadedAndUnloadedWithoutAQuestion) {
  ApiKey operators;
  operators.role = UserRole::operate;
  const auto operates = add_key(operators);
  serve();
  const std::string nothing = R"({"model":"demo"})", unload = R"({"model":"demo","keep_alive":0})";
  const auto loaded = ask(nothing, "/api/generate");
  ASSERT_EQ(loaded.status, 200) << loaded.body;
  EXPECT_EQ(loaded.json().at("done_reason"), "load");
  EXPECT_EQ(get("/api/ps").json().at("models").size(), 1u);
  expect_error("/api/chat", ask(unload, "/api/chat"), 403, "may not do this");
  EXPECT_EQ(post("/api/chat", unload, operates).json().at("done_reason"), "unload");
  EXPECT_TRUE(soon([&] { return get("/api/ps").json().at("models").empty(); }));
  expect_error("/api/chat", ask(R"({"model":"nosuch"})", "/api/chat"), 404, "no model 'nosuch'");
}

TEST_F(GatewayTest, EachRequestIsReportedOnceWithWhoAskedWhat) {
  fixture.add_model("slow", "GGUF slow load");
  serve();
  const auto whole = ask(chat("my password is zebra"));
  const auto streamed = ask(chat("hello", k_streamed));
  expect_error(k_chat, ask(chat("hello", R"(,"id_slot":3)")), 400, "id_slot");
  expect_error(k_chat, post(k_chat, chat("hello"), "wrong"), 401, "no valid API key");
  EXPECT_NE(post(k_chat, chat("hello", "", "slow"), key, "3").exit, 0);
  EXPECT_TRUE(soon([&] { return all_observed().size() == 5; }));
  const auto seen = all_observed();
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_EQ(seen[0].note.user, "ada");
  EXPECT_THAT(seen[0].note.key_id, StartsWith("key_"));
  EXPECT_EQ(seen[0].note.model, "demo");
  EXPECT_EQ(seen[0].note.record, whole.header("X-Liftlock-Record"));
  EXPECT_EQ(seen[0].id, whole.header("X-Request-Id"));
  EXPECT_EQ(seen[1].note.record, streamed.header("X-Liftlock-Record"));
  EXPECT_EQ(seen[1].id, streamed.header("X-Request-Id"));
  EXPECT_TRUE(seen[1].whole);
  EXPECT_EQ(seen[2].status, 400);
  EXPECT_EQ(seen[2].note.user, "ada");
  EXPECT_EQ(seen[2].note.record, "");
  EXPECT_EQ(seen[3].status, 401);
  EXPECT_EQ(seen[3].note.user, "");
  EXPECT_EQ(seen[4].status, 499);
  EXPECT_FALSE(seen[4].whole);
  EXPECT_EQ(seen[4].note.model, "slow");
}

/// In KiB, so far.
long peak_memory() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss;
}

TEST_F(GatewayTest, AHugeBodyIsRefusedBeforeItIsRead) {
  serve();
  const auto file = state() / "huge";
  write_file_atomically(file, "");
  fs::resize_file(file, 1u << 30);
  // What the sockets' buffers hold goes out, too.
  const auto sends_little = [&](const std::string& path, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "-X", "POST", "-T", file.string(), "-H", "Authorization: Bearer " + key, "-w", "%{stderr}sent %{size_upload}"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto heard = curl(path, arguments);
    expect_error(path, heard, 413, "larger than");
    const auto at = heard.told.rfind("sent ");
    ASSERT_NE(at, std::string::npos) << heard.told;
    EXPECT_LT(std::stoull(heard.told.substr(at + 5)), 64u << 20) << path;
  };
  const auto before = peak_memory();
  for (const auto& [path, body] : apis()) sends_little(path, {});
  EXPECT_LT(peak_memory() - before, 64 << 10);
  // The length is not announced.
  for (const auto& [path, body] : apis()) sends_little(path, {"-H", "Transfer-Encoding: chunked"});
}

// Programs offer a model for what Ollama says that it can do.
TEST_F(GatewayTest, SaysWhatAModelCanDo) {
  fixture.add_model("chat", "GGUF chat",
                    {{"architecture", "llama"}, {"chat_template", {{"sha256", "00"}, {"length", 2}}}});
  fixture.add_model("vectors", "GGUF vectors", {{"architecture", "bert"}});
  serve();
  std::map<std::string, Json> can;
  const auto tags = get("/api/tags").json();
  for (const auto& model : tags.at("models")) {
    can[model.at("name").get<std::string>()] = model.at("capabilities");
  }
  EXPECT_EQ(can["demo:latest"], Json::array({"completion"}));
  EXPECT_EQ(can["chat:latest"], Json::array({"completion", "tools"}));
  EXPECT_EQ(can["vectors:latest"], Json::array({"embedding"}));
}

// As a server of Ollama does it, by every API; what the engine got is on record.
TEST_F(GatewayTest, AModelBringsItsMakersWords) {
  const std::string system = "repeat polite";
  fixture.add_model("persona", "GGUF persona", Json::object(), "1",
                    {{"ollama/system", system}, {"ollama/params", R"({"temperature":0.5,"stop":["User:"]})"}});
  serve();
  const auto first = ask(chat("hello", "", "persona"));
  EXPECT_EQ(AnswerWords().of(first.json()), "polite") << first.body;
  const auto prompt = parse_json(record_of(first).prompt);
  EXPECT_EQ(prompt.at("messages").at(0).at("content"), system);
  EXPECT_EQ(prompt.at("temperature"), 0.5);
  EXPECT_EQ(ask(R"({"model":"persona","prompt":"hello","stream":false})", "/api/generate").json()["response"],
            "polite");
  EXPECT_EQ(AnswerWords().of(ask(R"({"model":"persona","messages":[{"role":"system","content":""},)"
                                 R"({"role":"user","content":"hello"}]})")
                                 .json()),
            "I stand in.");
  const auto shown = ask(R"({"model":"persona"})", "/api/show").json();
  EXPECT_EQ(shown["system"], system);
  EXPECT_THAT(shown["parameters"].get<std::string>(), HasSubstr("temperature                    0.5"));
  engine::testing_support::overwrite(fixture.store.path(sha256(system)), "repeat rudest");
  fixture.add_model("another", "GGUF another");  // the catalog is read again, and the words with it
  EXPECT_TRUE(soon([&] { return ask(chat("hello", "", "persona")).status == 500; }));
}

TEST_F(GatewayTest, ListsManyModels) {
  std::vector<Artifact> artifacts;
  for (int i = 0; i < 500; ++i) {
    const auto name = fmt::format("model-{:03}", i);
    Artifact artifact{.kind = "model", .name = name, .version = "1"};
    const auto content = "GGUF " + name;
    artifact.files.push_back({.path = RelPath::parse("models/" + name + "/m.gguf"),
                              .size = content.size(),
                              .digest = sha256(content),
                              .origin = {},
                              .evidence = {}});
    artifacts.push_back(artifact);
  }
  fixture.catalog.replace_set("many", artifacts, std::vector<std::string>(artifacts.size()));
  serve();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(get("/v1/models").json().at("data").size(), 501u);
  EXPECT_EQ(get("/api/tags").json().at("models").size(), 501u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(GatewayTest, TheEngineGetsTheKeysOfSchemasInTheirOrder) {
  serve();
  const std::string schema = R"({"type":"object","properties":{"why":{"type":"string"},"answer":{"type":"string"}}})";
  const auto heard = ask(R"({"model":"demo","messages":[{"role":"user","content":"hello"}],"response_format":)"
                         R"({"type":"json_schema","json_schema":{"name":"a","schema":)" +
                         schema + "}}}");
  EXPECT_EQ(heard.status, 200) << heard.body;
  EXPECT_THAT(record_of(heard).prompt, HasSubstr(schema));
}

TEST_F(GatewayTest, AWholeAnswerIsPassedOnAsItCame) {
  serve();
  const auto heard = ask(chat("hello"));
  EXPECT_EQ(heard.status, 200);
  EXPECT_THAT(heard.body, HasSubstr(R"("role":"assistant","content":")")) << "its keys are not sorted";
}

TEST_F(GatewayTest, AnAliasIsListedAndFollowedAtTheNextRequest) {
  fixture.add_model("chat", "GGUF one", {}, "1");
  fixture.add_model("chat", "GGUF two", {}, "2");
  engine::Choices aliases(state() / "aliases.json");
  serve();
  EXPECT_EQ(ask(R"({"model":"best","messages":[{"role":"user","content":"hello"}]})").status, 404);
  aliases.choose("best", {"model:chat@1", sha256("GGUF one").text(), {}, "ada"});
  aliases.choose("chat", {"model:chat@2", sha256("GGUF two").text(), {}, "ada"});
  const auto answered_by = [&](const std::string& model) {
    const auto heard = ask(R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hello"}]})");
    EXPECT_EQ(heard.status, 200) << heard.body;
    return record_of(heard).head.model_digest;
  };
  EXPECT_EQ(answered_by("best"), sha256("GGUF one").text());
  EXPECT_EQ(answered_by("chat"), sha256("GGUF two").text()) << "an alias wins over what is ambiguous";
  std::vector<std::string> names;
  const auto listed = get("/v1/models").json();
  for (const auto& model : listed.at("data")) names.push_back(model.at("id"));
  EXPECT_THAT(names, testing::ElementsAre("best", "chat", "demo"));
  EXPECT_THAT(get("/api/tags").body, HasSubstr("\"best:latest\""));
  EXPECT_THAT(get("/api/ps").body, HasSubstr("\"best:latest\""));
  aliases.choose("best", {"model:chat@2", sha256("GGUF two").text(), {}, "ada"});
  EXPECT_EQ(answered_by("best"), sha256("GGUF two").text());
  aliases.roll_back("best");
  EXPECT_EQ(answered_by("best"), sha256("GGUF one").text());
  aliases.choose("best", {"model:chat@1", sha256("other").text(), {}, "ada"});
  EXPECT_EQ(ask(R"({"model":"best","messages":[{"role":"user","content":"hello"}]})").status, 404)
      << "other bytes of the same id are not what was chosen";
}

TEST_F(GatewayTest, AnswersAreOnRecord) {
  serve();
  const auto whole = ask(chat("hello"));
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(whole.json().at("choices")[0].at("message").at("content"), "I stand in.");
  const auto streamed = ask(chat("hello", k_streamed));
  ASSERT_EQ(streamed.status, 200) << streamed.body;
  EXPECT_EQ(streamed.header("Content-Type"), "text/event-stream");
  EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n")) << streamed.body;
  EXPECT_THAT(streamed.body, Not(HasSubstr("usage")));
  const auto ollama = ask(chat("hello"), "/api/chat");
  EXPECT_EQ(parse_json(ollama.body.substr(0, ollama.body.find('\n'))).at("message").at("content"), "I ");
  const auto anthropic = ask(chat("hello", R"(,"max_tokens":9)" + k_streamed), "/v1/messages");
  EXPECT_THAT(anthropic.body, HasSubstr("event: message_stop"));
  for (const auto* heard : {&whole, &streamed, &ollama, &anthropic}) {
    const auto record = record_of(*heard);
    EXPECT_EQ(record.head.user, "ada");
    EXPECT_EQ(record.head.model, "demo");
    EXPECT_EQ(record.head.model_digest, sha256("GGUF").text());
    EXPECT_EQ(record.head.engine, "tiny/1-cpu");
    EXPECT_EQ(record.head.peer, "127.0.0.1");
    EXPECT_EQ(parse_json(record.prompt).at("messages")[0].at("content"), "hello");
    EXPECT_EQ(record.answer, "I stand in.");
    EXPECT_EQ(record.outcome.at("outcome"), "success");
    EXPECT_EQ(record.outcome.at("prompt_tokens"), 5);
    EXPECT_EQ(record.outcome.at("completion_tokens"), 3);
    EXPECT_NO_THROW(reader().verify(record.head.id, log));
  }
}

TEST_F(GatewayTest, WhoseEngineDiesOfAnothersRequestIsAskedForAgain) {
  const auto another = add_key({});
  for (const auto& more : {std::string(), k_streamed}) {
    serve();
    ASSERT_EQ(ask(chat("hello")).status, 200);
    const auto dead =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    std::thread other([&] { post(k_chat, chat("linger", k_streamed), another); });
    EXPECT_TRUE(soon([&] { return host->running().at(0).active == 1; }));
    const auto heard = ask(chat("started after " + std::to_string(dead.count()), more));
    other.join();
    EXPECT_EQ(heard.status, 200) << heard.body;
    EXPECT_EQ(record_of(heard).answer, "I stand in.");
    server.reset(), gateway.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  }
}

/// Is it on the command line of any process of this machine?
bool is_on_a_command_line(const std::string& word) {
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline", std::ios::binary);  // of one that ended meanwhile there is none
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    if (line.find(word) != std::string::npos) return true;
  }
  return false;
}

TEST_F(GatewayTest, AHintForSpeechGoesToACommandLineOnlyWhereTheSiteSaidSo) {
  fixture.add_engine(LIFTLOCK_STAND_IN, "2", {}, "whisper-cli");
  fixture.add_model("says", "GGUF", {{"architecture", "whisper"}}, "1", {{"ggml-says.bin", "weights"}});
  const auto word = KeyRing::new_id();  // nobody else's
  write_file_atomically(state() / "hint", word);
  write_file_atomically(state() / "hum.wav", "RIFF....WAVE");
  // curl reads it from the file: on its command line, it would be found there.
  const auto listen = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"-H", "Authorization: Bearer " + key, "-F", "model=says"});
    more.insert(more.end(), {"-F", "file=@" + (state() / "hum.wav").string()});
    return curl("/v1/audio/transcriptions", more);
  };
  const std::vector<std::string> hint = {"-F", "prompt=<" + (state() / "hint").string()};
  serve();
  expect_error("/v1/audio/transcriptions", listen(hint), 400, "speech_hint = true below [models] of config.toml");
  EXPECT_TRUE(logged("engine.start").empty());
  EXPECT_FALSE(is_on_a_command_line(word));
  EXPECT_EQ(listen({}).status, 200) << "without one it is heard";
  server.reset(), gateway.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  speech_hint = true;
  serve();
  const auto heard = listen(hint);
  EXPECT_EQ(heard.status, 200) << heard.body;
  EXPECT_THAT(record_of(heard).prompt, HasSubstr(word));
}

TEST_F(GatewayTest, WhoEndsEnginesIsRefusedAndOthersGoOn) {
  const auto careless = add_key({});
  serve();
  for (std::size_t i = 1; i <= 2; ++i) {
    const auto crashed = post(k_chat, chat("crash"), careless);
    expect_error(k_chat, crashed, 502, "the engine ended before it answered");
    EXPECT_TRUE(soon([&] { return logged("engine.stop").size() == i; }));  // it was not tried again
    EXPECT_EQ(record_of(crashed).outcome.at("outcome"), "failed");
    EXPECT_EQ(ask(chat("hello")).status, 200);
  }
  for (const auto& [path, body] : apis()) {
    const auto heard = post(path, body, careless);
    expect_error(path, heard, 503, "requests of this key");
    EXPECT_GT(std::stoi(heard.header("Retry-After")), 1) << "the minute that it rests";
  }
  EXPECT_EQ(ask(chat("hello")).status, 200);
  EXPECT_EQ(logged("engine.stop").size(), 2u);
}

TEST_F(GatewayTest, AmongManyWhoEndsEnginesIsFoundOut) {
  const auto careless = add_key({});
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  std::thread other([this] { ask(chat("linger", k_streamed)); });
  EXPECT_TRUE(soon([&] { return host->running().at(0).active == 1; }));
  // Its second try is alone at work, and ends the engine again.
  expect_error(k_chat, post(k_chat, chat("crash"), careless), 502, "the engine ended before it answered");
  other.join();
  expect_error(k_chat, post(k_chat, chat("crash"), careless), 502, "the engine ended before it answered");
  expect_error(k_chat, post(k_chat, chat("hello"), careless), 503, "requests of this key");
  EXPECT_EQ(ask(chat("hello")).status, 200);
}

TEST_F(GatewayTest, ASlotIsTakenUntilTheEngineLetGoOfIt) {
  serve();
  load();
  leave(2, "stubborn");
  EXPECT_TRUE(soon([&] { return outcome_of_the_record() == "client-gone"; }));
  EXPECT_EQ(host->running().at(0).active, 2u);
  EXPECT_EQ(ask(chat("hello")).status, 200);  // as soon as there is a slot
  EXPECT_TRUE(soon([&] { return host->running().at(0).active == 0; }));
  EXPECT_TRUE(logged("engine.stop").empty());
}

TEST_F(GatewayTest, AnEngineThatDoesNotLetGoIsStartedAgain) {
  serve(RecordMode::full, 3000ms);
  load();
  leave(2, "obsessed");
  EXPECT_EQ(ask(chat("hello")).status, 200);
  const auto stops = logged("engine.stop");
  ASSERT_EQ(stops.size(), 1u);
  EXPECT_EQ(stops[0].outcome, Outcome::failure);
  EXPECT_THAT(stops[0].detail, HasSubstr("worked for 3 s on a request that was given up"));
}

TEST_F(GatewayTest, AnEngineWhoseWorkIsStuckIsStartedAgain) {
  probe_every = 100ms;
  work_patience = 3s;
  serve();
  load();
  expect_error(k_chat, ask(chat("stuck")), 502, "the engine ended before it answered");
  ASSERT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  EXPECT_EQ(logged("engine.stop")[0].outcome, Outcome::failure);
  EXPECT_THAT(logged("engine.stop")[0].detail, HasSubstr("its work did not get on for 3 s"));
  EXPECT_EQ(ask(chat("hello")).status, 200);
}

TEST_F(GatewayTest, AnEngineThatForgetsARequestIsStartedAgainAndItsClientIsTold) {
  probe_every = 100ms;
  stuck_after = 3s;
  serve();
  load();
  EXPECT_EQ(ask(chat("stubborn")).status, 200) << "a slot is at work on it, for 8 s";
  const auto streamed = ask(chat("stall", k_streamed));
  EXPECT_THAT(streamed.body, StartsWith(R"(data: {"error":)"));
  EXPECT_THAT(streamed.body, HasSubstr("in the middle of its answer, or said nothing more for too long"));
  EXPECT_EQ(record_of(streamed).outcome.at("outcome"), "failed");
  ASSERT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  EXPECT_EQ(logged("engine.stop")[0].outcome, Outcome::failure);
  EXPECT_THAT(logged("engine.stop")[0].detail,
              HasSubstr("left a request without an answer, and none of its slots worked on it for 3 s"));
  // Of another key: one whose requests end engines is refused after the second.
  expect_error(k_chat, post(k_chat, chat("stall"), add_key({})), 502, "in the middle of its answer");
  EXPECT_EQ(ask(chat("hello")).status, 200);
}

TEST_F(GatewayTest, WhereTheQueueIsFullClientsAreToldToComeAgain) {
  queue = 1;
  serve();
  std::vector<std::shared_ptr<engine::Lease>> slots;
  for (int i = 0; i < 2; ++i) {
    const auto got = std::make_shared<std::promise<std::shared_ptr<engine::Lease>>>();
    host->lease("demo", "another", 60s, [got](const auto& result) {
      const auto* lease = std::get_if<0>(&result);
      got->set_value(lease != nullptr ? *lease : nullptr);
    });
    slots.push_back(got->get_future().get());
    ASSERT_NE(slots.back(), nullptr);
  }
  Heard waited;
  std::thread waits([&] { waited = ask(chat("hello")); });
  EXPECT_TRUE(soon([&] { return host->running().at(0).queued == 1; }));
  std::map<std::string, Heard> refused;
  for (const auto& [path, body] : apis()) refused[path] = ask(body, path);
  slots.clear();
  waits.join();
  EXPECT_EQ(waited.status, 200) << waited.body;
  for (const auto& [path, heard] : refused) {
    expect_error(path, heard, 503, "1 requests wait for 'demo' already");
    EXPECT_EQ(heard.header("Retry-After"), "1");
    EXPECT_EQ(record_of(heard).outcome.at("code"), "overloaded");
  }
}

TEST_F(GatewayTest, AnEngineThatEatsMemoryIsEnded) {
  fixture.add_model("small", "GGUF small", {{"context_length", 50}});
  serve();
  expect_error(k_chat, ask(chat("devour", "", "small")), 502, "the engine ended before it answered");
  ASSERT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  EXPECT_THAT(logged("engine.stop")[0].detail, HasSubstr("of memory, and may hold"));
  ASSERT_EQ(logged("engine.suspicious").size(), 1u);
  EXPECT_THAT(logged("engine.suspicious")[0].detail, HasSubstr("of memory, and may hold"));
  EXPECT_EQ(ask(chat("hello", "", "small")).status, 200);
  EXPECT_TRUE(soon([&] { return host->running().at(0).resident > 100'000; }));
  EXPECT_THAT(gateway->metrics(), HasSubstr("liftlock_engine_resident_bytes{model=\"small\"} "));
}

// A model of either kind may bear the name: a series stands in the text once.
TEST_F(GatewayTest, SuspiciousEndsOfTextsAndOfSpeechAreCountedTogether) {
  const Json of_speech = {{"architecture", "whisper"}};
  const std::map<std::string, std::string> weights = {{"ggml.bin", "weights"}};
  fixture.add_engine(LIFTLOCK_STAND_IN, "2", {}, "whisper-cli");
  fixture.add_model("twin", "GGUF twin");
  fixture.add_model("twin", "GGUF other twin", of_speech, "2", weights);
  fixture.add_model("ears", "GGUF ears", of_speech, "1", weights);
  serve();
  const auto sound = state() / "sound.wav";
  write_file_atomically(sound, "RIFF....WAVE trespass");
  const auto hear = [&](const std::string& model) {
    return curl("/v1/audio/transcriptions",
                {"-H", "Authorization: Bearer " + key, "-F", "model=" + model, "-F", "file=@" + sound.string()});
  };
  for (const auto* model : {"ears", "twin@2"}) expect_error(k_chat, hear(model), 502, "none for speech does");
  expect_error(k_chat, ask(chat("trespass", "", "twin@1")), 502, "");
  const auto ends_of = [&](const std::string& id) {
    const auto all = logged("engine.suspicious");
    return std::count_if(all.begin(), all.end(), [&](const auto& event) { return event.subject == id; });
  };
  const auto tells = [&](const std::string& model, std::ptrdiff_t count) {
    const auto sample = fmt::format("liftlock_engine_suspicious_total{{model=\"{}\"}} {}\n", model, count);
    return gateway->metrics().find(sample) != std::string::npos;
  };
  ASSERT_TRUE(soon([&] { return ends_of("model:twin@1") > 0; }));
  EXPECT_EQ(ends_of("model:twin@2"), 1);
  EXPECT_TRUE(soon([&] { return tells("twin", ends_of("model:twin@1") + 1); })) << gateway->metrics();
  EXPECT_TRUE(tells("ears", 1)) << gateway->metrics();
}

TEST_F(GatewayTest, AModelThatHearsIsInStatusAndMetrics) {
  fixture.add_engine(LIFTLOCK_STAND_IN, "2", {}, "whisper-cli");
  fixture.add_model("ears", "GGUF ears", {{"architecture", "whisper"}}, "1", {{"ggml.bin", "weights"}});
  serve();
  load();
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nears\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF....WAVE hang\r\n--b--\r\n";
  auto client = sent(server->port(), fmt::format("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\n"
                                                 "Authorization: Bearer {}\r\nContent-Length: {}\r\n"
                                                 "Content-Type: multipart/form-data; boundary=b\r\n\r\n{}",
                                                 key, form.size(), form));
  const auto models = [&] { return gateway->status().at("models"); };
  ASSERT_TRUE(soon([&] { return models().size() == 2 && models()[1].at("state") == "ready"; })) << gateway->status();
  EXPECT_EQ(models()[0].at("model"), "demo");
  const auto ears = models()[1];
  EXPECT_EQ(ears.at("model"), "ears");
  EXPECT_EQ(ears.at("engine"), "tiny/2-cpu");
  EXPECT_EQ(ears.at("active"), 1);
  EXPECT_EQ(ears.at("slots"), 1);
  const auto tells = [&](const std::string& sample) {
    return gateway->metrics().find(sample + "\n") != std::string::npos;
  };
  EXPECT_TRUE(tells("liftlock_model_requests{model=\"ears\",kind=\"active\"} 1")) << gateway->metrics();
  EXPECT_TRUE(tells("liftlock_model_verification_seconds_count{model=\"ears\"} 1")) << gateway->metrics();
  EXPECT_TRUE(tells("liftlock_model_verification_seconds_count{model=\"demo\"} 1")) << gateway->metrics();
  client.reset();
  EXPECT_TRUE(soon([&] { return models().size() == 1; })) << gateway->status();
}

TEST_F(GatewayTest, WhoseRecordingsEndEnginesIsRefusedWithoutALoad) {
  fixture.add_engine(LIFTLOCK_STAND_IN, "2", {}, "whisper-cli");
  fixture.add_model("ears", "GGUF ears", {{"architecture", "whisper"}}, "1", {{"ggml.bin", "weights"}});
  serve();
  const auto hear = [&](const std::string& words) {
    write_file_atomically(state() / "sound.wav", "RIFF....WAVE " + words);
    return curl("/v1/audio/transcriptions", {"-H", "Authorization: Bearer " + key, "-F", "model=ears", "-F",
                                             "file=@" + (state() / "sound.wav").string()});
  };
  for (int i = 0; i < 3; ++i) expect_error(k_chat, hear("crash"), 502, "the engine ended with status");
  const auto refused = hear("hello");
  expect_error(k_chat, refused, 503, "the engine of 'ears' ended 3 times at requests of this key");
  EXPECT_GT(std::stoi(refused.header("Retry-After")), 1) << "the minute that the key rests";
  EXPECT_EQ(logged("model.load").size(), 3u);
  EXPECT_EQ(ask(chat("hello")).status, 200);
}

TEST_F(GatewayTest, WhatCannotFitReachesNoEngine) {
  fixture.add_model("short", "GGUF short", {{"context_length", 100}});
  fixture.add_model("vectors", "GGUF vectors", {{"architecture", "bert"}});
  fixture.add_model("judge", "GGUF judge", {{"architecture", "llama"}, {"pooling_type", 4}});
  serve();
  const std::string long_words(100 * 128 + 200, 'w');
  for (const auto& [path, body] : apis("short")) {
    auto request = parse_json(body);
    request["messages"][0]["content"] = long_words;
    expect_error(path, ask(dump_json_line(request), path), 400, "the prompt is too long");
  }
  EXPECT_EQ(ask(chat(long_words, "", "short")).json().at("error").at("code"), "context_length_exceeded");
  const auto embed = [&](const std::string& model) {
    return ask(R"({"input":"a","model":")" + model + "\"}", "/v1/embeddings");
  };
  const auto rerank = [&](const std::string& model) {
    return ask(R"({"query":"a","documents":["b"],"model":")" + model + "\"}", "/v1/rerank");
  };
  expect_error("/v1/embeddings", embed("demo"), 422, "'demo' is made for texts, and not for embeddings");
  expect_error("/v1/rerank", rerank("vectors"), 422, "is made for embeddings");
  expect_error("/v1/embeddings", embed("judge"), 422, "is made for reranking");
  for (const auto& [path, body] : apis("vectors")) expect_error(path, ask(body, path), 422, "and not for texts");
  EXPECT_EQ(host->running().size(), 0u);
  EXPECT_EQ(embed("vectors").status, 200);
}

TEST_F(GatewayTest, AModelThatIsMadeForItRanksDocuments) {
  fixture.add_model("judge", "GGUF judge", {{"architecture", "llama"}, {"pooling_type", 4}});
  serve();
  const auto heard =
      ask(R"({"model":"judge","query":"what opens a lock?","documents":["a sea",{"text":"a key"}]})", "/v1/rerank");
  ASSERT_EQ(heard.status, 200) << heard.body;
  const auto results = heard.json().at("results");
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].at("index"), 1);
  EXPECT_EQ(results[0].at("relevance_score"), 0.9);
  const auto record = record_of(heard);
  EXPECT_EQ(record.head.endpoint, "/v1/rerank");
  EXPECT_EQ(record.head.model_digest, sha256("GGUF judge").text());
  EXPECT_EQ(parse_json(record.prompt).at("documents"), Json::array({"a sea", "a key"}));
  EXPECT_EQ(record.answer, heard.body) << "the order is the answer";
  EXPECT_EQ(record.outcome.at("outcome"), "success");
  EXPECT_EQ(record.outcome.at("prompt_tokens"), 9);
  EXPECT_NO_THROW(reader().verify(record.head.id, log));
}

TEST_F(GatewayTest, VectorsAreOnRecordAsTheirClientsGotThem) {
  fixture.add_model("vectors", "GGUF vectors", {{"architecture", "bert"}});
  serve();
  const std::vector<std::pair<std::string, std::string>> requests = {
      {"/v1/embeddings", R"({"model":"vectors","input":"a lock"})"},
      {"/v1/embeddings", R"({"model":"vectors","input":"much"})"},
      {"/api/embed", R"({"model":"vectors","input":["a lock"]})"},
      {"/api/embeddings", R"({"model":"vectors","prompt":"a lock"})"}};
  for (const auto& [path, body] : requests) {
    const auto heard = ask(body, path);
    ASSERT_EQ(heard.status, 200) << path << heard.body;
    EXPECT_THAT(heard.body, HasSubstr("0.5,-0.25"));
    const auto record = record_of(heard);
    EXPECT_EQ(record.answer, heard.body) << path;
    EXPECT_EQ(to_json(record).at("answer"), heard.body);
    EXPECT_NO_THROW(reader().verify(record.head.id, log));
  }
}

TEST_F(GatewayTest, TheInsidesOfEnginesAreNotTold) {
  serve();
  for (const auto& [path, body] : apis()) {
    for (const auto* words : {"grumble", "blurt"}) {
      const auto heard = ask(std::string(body).replace(body.find("hello"), 5, words), path);
      EXPECT_EQ(heard.status, words == std::string("blurt") ? 502 : 400);
      EXPECT_THAT(heard.body, Not(HasSubstr("insides")));
    }
  }
}

TEST_F(GatewayTest, AnAnswerThatEndsEarlyEndsWithAnError) {
  serve();
  const auto openai = ask(chat("half", k_streamed));
  EXPECT_THAT(openai.body, StartsWith(R"(data: {"error":)"));
  EXPECT_THAT(openai.body, Not(HasSubstr("[DONE]")));
  const auto ollama = ask(chat("half"), "/api/chat");
  EXPECT_THAT(ollama.body, StartsWith(R"({"error":)"));
  const auto anthropic = ask(chat("half", R"(,"max_tokens":9)" + k_streamed), "/v1/messages");
  EXPECT_THAT(anthropic.body, HasSubstr("event: error\n"));
  EXPECT_THAT(anthropic.body, Not(HasSubstr("message_stop")));
  const auto whole = ask(chat("half"));
  expect_error(k_chat, whole, 502, "");
  for (const auto* heard : {&openai, &ollama, &anthropic, &whole}) {
    EXPECT_EQ(record_of(*heard).outcome.at("outcome"), "failed");
  }
}

TEST_F(GatewayTest, WhoLeavesEndsTheWork) {
  serve();
  load();
  const auto heard = post(k_chat, chat("linger", k_streamed), key, "5");
  EXPECT_NE(heard.exit, 0);
  EXPECT_THAT(heard.body, HasSubstr(R"("content":"I ")"));
  EXPECT_TRUE(soon([&] { return engine_log() == "the client left\n"; })) << engine_log();
  EXPECT_TRUE(soon([&] { return record_of(heard).outcome.at("outcome") == "client-gone"; }));
  EXPECT_EQ(record_of(heard).answer, "I ");
  EXPECT_TRUE(soon([&] { return host->running().at(0).active == 0; }));
}

TEST_F(GatewayTest, WhoLeavesBeforeTheFirstByteEndsTheWork) {
  serve();
  load();
  leave(1, "linger");
  EXPECT_TRUE(soon([&] { return engine_log() == "the client left\n"; }));
  EXPECT_TRUE(soon([&] { return outcome_of_the_record() == "client-gone"; }));
}

TEST_F(GatewayTest, WhoLeavesWhileTheModelLoadsIsForgotten) {
  fixture.add_model("slow", "GGUF slow load");
  serve();
  EXPECT_NE(post(k_chat, chat("hello", "", "slow"), key, "3").exit, 0);
  EXPECT_TRUE(soon([&] { return outcome_of_the_record() == "client-gone"; }));
  EXPECT_TRUE(soon([&] { return host->running().at(0).state == "ready"; }));
  EXPECT_EQ(host->running().at(0).active, 0u);
}

TEST_F(GatewayTest, AServerThatStopsLeavesNothingOpen) {
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) clients.emplace_back([this] { ask(chat("linger", k_streamed)); });
  EXPECT_TRUE(soon([&] { return host->running().at(0).active == 2; }));
  server->stop(100ms);
  for (auto& client : clients) client.join();
  EXPECT_TRUE(soon([&] { return host->running().at(0).active == 0; }));
}

TEST_F(GatewayTest, AServerThatStopsWaitsForAnswersForAWhileOnly) {
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  Heard streamed, whole;
  std::thread one([&] { streamed = ask(chat("linger", k_streamed)); });
  std::thread other([&] { whole = ask(chat("linger")); });
  EXPECT_TRUE(soon([&] { return host->running().at(0).active == 2; }));
  const auto begin = std::chrono::steady_clock::now();
  server->stop(60s);
  one.join(), other.join();  // they ask the server for its address
  server.reset(), gateway.reset(), host.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
  EXPECT_THAT(streamed.body, HasSubstr("the server is stopping"));
  expect_error(k_chat, whole, 503, "the server is stopping");
  book.reset();
  for (const auto* heard : {&streamed, &whole}) {
    EXPECT_EQ(record_of(*heard).outcome.at("code"), "engine-unavailable");
    EXPECT_NO_THROW(reader().verify(record_of(*heard).head.id, log));
  }
  EXPECT_EQ(record_of(streamed).answer, "I ");
}

TEST_F(GatewayTest, BodiesComeInChunksAndAreNotCompressed) {
  serve();
  const auto bearer = "Authorization: Bearer " + key;
  const std::vector<std::string> chunked = {"--data-binary", "@-", "-H", "Transfer-Encoding: chunked", "-H", bearer};
  for (const auto& [path, body] : apis()) {
    EXPECT_EQ(curl(path, chunked, body).status, 200);
    expect_error(path, curl(path, chunked, std::string((16u << 20) + 1, ' ')), 413, "larger than");
    expect_error(path, curl(path, {"--data-binary", "@-", "-H", "Content-Encoding: gzip", "-H", bearer}, body), 415,
                 "gzip");
    // Nobody knows yet which API it is.
    EXPECT_EQ(curl(path, {"--data-binary", "@-", "-H", bearer, "-H", "authorization: Bearer other"}, body).status, 400);
  }
}

/// No file may become larger while it lives, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &m_before);
    const struct rlimit small {
      bytes, m_before.rlim_max
    };
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &m_before); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  struct rlimit m_before {};
};

TEST_F(GatewayTest, WithoutARecordThereIsNoAnswer) {
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  const FullDisk full(64u << 10);
  const std::string big(100'000, 'b');
  for (const auto& [path, body] : apis()) {
    for (const auto* stream : {"false", "true"}) {
      const auto heard =
          ask(chat(big, fmt::format(R"({},"stream":{})", path == "/v1/messages" ? R"(,"max_tokens":9)" : "", stream)),
              path);
      expect_error(path, heard, 503, "record");
      EXPECT_EQ(heard.header("Retry-After"), "60");
      EXPECT_THAT(heard.body, Not(HasSubstr("stand in")));
    }
  }
  expect_error(k_chat, ask(chat("small")), 503, "record");
}

TEST_F(GatewayTest, NoVectorLeavesWithoutItsRecord) {
  fixture.add_model("vectors", "GGUF vectors", {{"architecture", "bert"}});
  serve();
  ASSERT_EQ(ask(R"({"model":"vectors","input":"a"})", "/v1/embeddings").status, 200);
  const FullDisk full(64u << 10);
  for (const auto* path : {"/v1/embeddings", "/api/embed"}) {
    const auto heard = ask(R"({"model":"vectors","input":"much"})", path);
    expect_error(path, heard, 503, "record");
    EXPECT_THAT(heard.body, Not(HasSubstr("0.5")));
  }
}

TEST_F(GatewayTest, WhereTheSiteSaidSoAnswersGoOutUnrecordedAndAreCounted) {
  policy.stop_when_unwritable = false;
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  const FullDisk full(64u << 10);
  const std::string big(100'000, 'b');
  for (const auto& more : {std::string(), k_streamed}) {
    const auto heard = ask(chat(big, more));
    EXPECT_EQ(heard.status, 200) << heard.body;
    EXPECT_THAT(heard.body, HasSubstr("stand in"));
    EXPECT_EQ(heard.header("X-Liftlock-Record"), "") << "there is none";
  }
  EXPECT_THAT(get("/metrics").status, testing::AnyOf(200, 404));
  EXPECT_THAT(gateway->metrics(), HasSubstr("liftlock_unrecorded_answers_total 2"));
}

TEST_F(GatewayTest, AStreamGoesOnWithoutItsRecordWhereTheSiteSaidSo) {
  policy.stop_when_unwritable = false;
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  const FullDisk full(128u << 10);
  const auto heard = ask(chat("much", k_streamed));
  EXPECT_EQ(heard.status, 200);
  EXPECT_THAT(heard.body, HasSubstr("[DONE]"));
  EXPECT_THAT(gateway->metrics(), HasSubstr("liftlock_unrecorded_answers_total 1"));
}

TEST_F(GatewayTest, TheCommandsOfTheMachineStopWithoutARecordWhateverTheSiteSaid) {
  policy.stop_when_unwritable = false;
  serve();
  serve_locally();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  const FullDisk full(64u << 10);
  const std::string big(100'000, 'b');
  for (const auto& more : {std::string(), k_streamed}) {
    const auto heard = ask(chat(big, more));
    EXPECT_EQ(heard.status, 503) << heard.body;
    EXPECT_THAT(heard.body, testing::AllOf(HasSubstr("record-unwritable"), Not(HasSubstr("stand in"))));
  }
  EXPECT_THAT(gateway->metrics(), HasSubstr("liftlock_unrecorded_answers_total 0"));
}

TEST_F(GatewayTest, KeysAndModelsHaveModesOfTheirOwn) {
  policy.models = {{"ward", RecordMode::full}};
  fixture.add_model("ward", "GGUF ward");
  serve(RecordMode::off);
  ApiKey wanted;
  wanted.record = "hash-only";
  const auto hashed = add_key(wanted);
  wanted.record = "off";
  const auto silent = add_key(wanted);
  const auto id_of = [&](const std::string& with, const std::string& model) {
    key = with;
    const auto heard = ask(R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hello"}]})");
    EXPECT_EQ(heard.status, 200) << heard.body;
    return heard.header("X-Liftlock-Record");
  };
  const auto plain = key;
  const auto unrecorded = id_of(plain, "demo");
  const auto by_key = id_of(hashed, "demo"), by_model = id_of(silent, "ward");
  EXPECT_EQ(reader().read(by_model).answer, "I stand in.") << "a key takes nothing from a model";
  EXPECT_EQ(reader().verify(by_key, log).at("mode"), "hash-only");
  EXPECT_EQ(code_of([&] { reader().verify(unrecorded, log); }), ErrorCode::not_found);
}

TEST_F(GatewayTest, LabelsSayWhoAsksWhat) {
  labels = Labels({"OPEN", "SECRET"}, {{"demo", "OPEN"}}, {});
  fixture.add_model("ward", "GGUF ward");
  serve();
  ApiKey wanted;
  wanted.label = "SECRET";
  const auto cleared = add_key(wanted);
  const auto ward = R"({"model":"ward","messages":[{"role":"user","content":"hello"}]})";
  EXPECT_EQ(ask(chat("hello")).status, 200);
  expect_error(k_chat, ask(ward), 403, "labelled SECRET");
  EXPECT_EQ(get("/v1/models").json().at("data").size(), 1u) << "what may not be asked is not listed";
  EXPECT_EQ(get("/v1/models/ward").status, 403);
  key = cleared;
  const auto heard = ask(ward);
  EXPECT_EQ(heard.status, 200) << heard.body;
  EXPECT_THAT(record_of(heard).head.tags, testing::ElementsAre("label:SECRET"));
  EXPECT_EQ(get("/v1/models").json().at("data").size(), 2u);
}

TEST_F(GatewayTest, TheCommandsOfTheMachineNeedNoKey) {
  labels = Labels({"OPEN", "SECRET"}, {{"demo", "OPEN"}}, {});
  fixture.add_model("ward", "GGUF ward");
  serve();
  serve_locally();
  const auto as_ada = [&](const std::string& path, const std::string& body) {
    return curl(path, {"--data-binary", "@-", "-H", "X-Liftlock-User: ada"}, body);
  };
  const auto heard = as_ada(k_chat, R"({"model":"ward","messages":[{"role":"user","content":"hello"}]})");
  EXPECT_EQ(heard.status, 200) << heard.body;
  const auto record = record_of(heard);
  EXPECT_EQ(record.head.user, "ada");
  EXPECT_EQ(record.head.key_id, "local");
  EXPECT_THAT(record.head.tags, testing::ElementsAre("label:SECRET"));
  EXPECT_EQ(as_ada("/api/generate", R"({"model":"ward","keep_alive":0})").status, 200) << "it may unload, too";
  for (const auto* path : {k_chat, "/api/chat"}) {
    const auto refused = as_ada(path, R"({"model":"none","messages":[{"role":"user","content":"hello"}]})");
    EXPECT_EQ(refused.status, 404) << path << refused.body;
    EXPECT_EQ(refused.json().at("error").at("code"), "not-found") << path;
    EXPECT_EQ(refused.json().at("error").at("remedy"), "list the models with GET /v1/models") << path;
  }
  server.reset(), gateway.reset();
  gatekeeper.reset();  // writes down what keys used: there is none
  EXPECT_TRUE(KeyRing(state() / "access.db").tokens_of(std::chrono::floor<std::chrono::days>(now())).empty());
}

TEST_F(GatewayTest, ADiskThatFillsUpEndsTheStream) {
  serve();
  ASSERT_EQ(ask(chat("hello")).status, 200);
  Heard heard;
  {
    const FullDisk full(128u << 10);
    heard = ask(chat("much", k_streamed));
  }
  EXPECT_EQ(heard.status, 200);
  EXPECT_THAT(heard.body, HasSubstr("record-unwritable"));
  EXPECT_THAT(heard.body, Not(HasSubstr("[DONE]")));
  const auto got = std::count(heard.body.begin(), heard.body.end(), 'm');
  EXPECT_GT(got, 0);
  server.reset(), gateway.reset(), book.reset();
  EXPECT_GE(record_of(heard).answer.size() + 1000, static_cast<std::size_t>(got) / 1000 * 1000);
}

TEST_F(GatewayTest, HashesOnly) {
  serve(RecordMode::hash_only);
  for (const auto& more : {std::string(), k_streamed}) {
    const auto heard = ask(chat("hello", more));
    EXPECT_EQ(heard.status, 200);
    const auto id = heard.header("X-Liftlock-Record");
    EXPECT_EQ(code_of([&] { reader().read(id); }), ErrorCode::not_found);
    EXPECT_EQ(reader().verify(id, log).at("mode"), "hash-only");
  }
}

TEST_F(GatewayTest, NoRecord) {
  serve(RecordMode::off);
  for (const auto& more : {std::string(), k_streamed}) {
    const auto heard = ask(chat("hello", more));
    EXPECT_EQ(heard.status, 200);
    EXPECT_THAT(heard.body, HasSubstr("stand in."));
  }
  EXPECT_FALSE(fs::exists(records()));
  EXPECT_TRUE(logged("prompt.record").empty());
}

TEST_F(GatewayTest, WordsOfPromptsAndAnswersAreInNoFile) {
  const std::string prompt = "zyxwvutsprompt", said = "zyxwvutsanswer";
  for (const auto mode : {RecordMode::full, RecordMode::hash_only, RecordMode::off}) {
    serve(mode);
    for (const auto& more : {std::string(), k_streamed}) {
      EXPECT_THAT(ask(chat(prompt + " repeat " + said, more)).body, HasSubstr("sanswer"));
      EXPECT_NE(ask(chat(prompt + " half", more)).body, "");
      EXPECT_EQ(ask(chat(prompt, R"(,")" + prompt + "\":1" + more)).status, 400);
    }
    EXPECT_EQ(post(k_chat, chat(prompt), "wrong " + prompt).status, 401);
    EXPECT_THAT(gateway->metrics(), Not(HasSubstr("zyxwvuts")));
    server.reset(), gateway.reset(), gatekeeper.reset(), book.reset(), speech.reset(), host.reset();
  }
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(state())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const auto text = read_file(entry.path(), 64u << 20);
    EXPECT_EQ(text.find("zyxwvuts"), std::string::npos) << entry.path();
    EXPECT_EQ(text.find(key), std::string::npos) << entry.path();
  }
  EXPECT_GT(files, 5);
}

TEST_F(GatewayTest, AuditorsReadWhatOthersAskedAndNobodyElseDoes) {
  serve();
  const auto key_of = [&](UserRole role) {
    ApiKey wanted;
    wanted.role = role;
    return add_key(wanted);
  };
  const auto auditor = key_of(UserRole::auditor), admin = key_of(UserRole::admin);
  const auto heard = curl(k_chat,
                          {"--data-binary", "@-", "-H", "Content-Type: application/json", "-H",
                           "Authorization: Bearer " + key, "-H", "X-Liftlock-Tags: case-7"},
                          chat("the secret question", R"(,"metadata":{"patient":"12"})"));
  ASSERT_EQ(heard.status, 200) << heard.body;
  ASSERT_EQ(ask(chat("another")).status, 200);
  const auto id = heard.header("X-Liftlock-Record");
  const std::string search(RecordDesk::k_search_path), one = std::string(RecordDesk::k_record_path) + id;
  const auto find = [&](const std::string& wanted) { return post(search, wanted, auditor); };
  for (const auto* wanted : {R"({"tag":"case-7"})", R"({"tag":"patient:12","from":"2020-01-01T00:00:00Z"})",
                             R"({"text":"secret question"})"}) {
    const auto found = find(wanted).json();
    ASSERT_EQ(found.at("records").size(), 1u) << wanted;
    EXPECT_EQ(found.at("records")[0].at("id"), id);
    EXPECT_FALSE(found.at("more").get<bool>());
  }
  EXPECT_EQ(find(R"({"user":"nobody"})").json().at("records").size(), 0u);
  const auto first = find(R"({"count":1})").json();
  EXPECT_EQ(first.at("records").size(), 1u);
  EXPECT_TRUE(first.at("more").get<bool>());
  for (const auto* wrong : {R"({"count":0})", R"({"from":"yesterday"})", R"({"nosuch":1})", "[]", "", R"({"tag":7})"})
    EXPECT_EQ(find(wrong).status, 400) << wrong;
  const auto read = curl(one, {"-H", "Authorization: Bearer " + auditor}).json();
  EXPECT_THAT(read.at("prompt").get<std::string>(), HasSubstr("the secret question"));
  EXPECT_EQ(read.at("outcome").at("outcome"), "success");
  EXPECT_EQ(curl(std::string(RecordDesk::k_record_path) + "x", {"-H", "Authorization: Bearer " + auditor}).status, 404);
  for (const auto& secret : {key, admin}) {
    EXPECT_EQ(post(search, "{}", secret).status, 403);
    EXPECT_EQ(curl(one, {"-H", "Authorization: Bearer " + secret}).status, 403);
  }
  EXPECT_EQ(post(search, "{}", "").status, 401);
  EXPECT_EQ(post(k_chat, chat("may I?"), auditor).status, 403);
  const auto looks = logged("record.read");
  ASSERT_EQ(looks.size(), 2u) << "intent and success";
  EXPECT_EQ(looks[0].subject, id);
  EXPECT_EQ(looks[0].outcome, Outcome::intent);
  EXPECT_THAT(looks[0].actor, HasSubstr("(key_"));
  for (const auto& event : logged("record.find")) {
    EXPECT_THAT(event.detail, Not(HasSubstr("secret")));
    EXPECT_THAT(event.detail, Not(HasSubstr("case-7")));
  }
}

/// The id of the newest key of this role.
std::string newest_of(const fs::path& state, UserRole role) {
  std::string id;
  for (const auto& one : KeyRing(state / "access.db", Access::read).list()) {
    if (one.role == role) id = one.id;
  }
  return id;
}

TEST_F(GatewayTest, AdminsListMakeAndRevokeKeysAndNobodyElseDoes) {
  const std::string keys(KeyDesk::k_keys_path);
  const auto revoke_path = [&](const std::string& id) { return keys + "/" + id + std::string(KeyDesk::k_revoke); };
  std::map<UserRole, std::string> secrets;
  for (const auto role : {UserRole::viewer, UserRole::operate, UserRole::admin, UserRole::auditor}) {
    ApiKey wanted;
    wanted.role = role;
    secrets[role] = add_key(wanted);
  }
  serve();
  const auto viewer_id = newest_of(state(), UserRole::viewer);
  for (const auto& [role, secret] : secrets) {
    if (role == UserRole::admin) continue;
    const auto bearer = "Authorization: Bearer " + secret;
    EXPECT_EQ(curl(keys, {"-H", bearer}).status, 403) << name(role);
    EXPECT_EQ(post(keys, R"({"user":"eve"})", secret).status, 403) << name(role);
    EXPECT_EQ(post(revoke_path(viewer_id), R"({"reason":"no"})", secret).status, 403) << name(role);
  }
  EXPECT_EQ(post(keys, R"({"user":"eve"})", "").status, 401);
  EXPECT_TRUE(logged("key.add").empty());
  EXPECT_TRUE(logged("key.revoke").empty());

  const auto admin = secrets[UserRole::admin];
  const auto bearer = "Authorization: Bearer " + admin;
  const auto made = post(
      keys, R"({"user":"bob","role":"operator","models":["demo"],"requests_per_minute":60,"note":"laptop"})", admin);
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.header("Cache-Control"), "no-store");
  const auto secret = made.json().at("secret").get<std::string>(), id = made.json().at("id").get<std::string>();
  EXPECT_THAT(secret, StartsWith("llk_"));
  EXPECT_EQ(made.json().at("role"), "operator");
  const auto status_of = [&](const std::string& of) { return curl("/v1/models", {"-H", "x-api-key: " + of}).status; };
  EXPECT_TRUE(soon([&] { return status_of(secret) == 200; }));

  const auto listed = curl(keys, {"-H", bearer});
  ASSERT_EQ(listed.status, 200);
  EXPECT_THAT(listed.body, Not(HasSubstr(secret)));
  EXPECT_THAT(listed.body, Not(HasSubstr("secret"))) << "not its digest either";
  const auto all = listed.json().at("keys");
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all.back().at("id"), id);
  EXPECT_EQ(all.back().at("state"), "valid");
  EXPECT_EQ(all.back().at("requests_per_minute"), 60);

  const auto added = logged("key.add");
  ASSERT_EQ(added.size(), 2u) << "intent and success";
  for (const auto& event : added) {
    EXPECT_EQ(event.subject, id);
    EXPECT_EQ(event.actor, "ada (" + newest_of(state(), UserRole::admin) + ")");
    EXPECT_THAT(event.detail, Not(HasSubstr(secret)));
    EXPECT_EQ(parse_json(event.detail).at("secret_sha256"), sha256(secret).hex());
    EXPECT_EQ(parse_json(event.detail).at("user"), "bob");
  }
  EXPECT_EQ(added.back().outcome, Outcome::success);

  EXPECT_EQ(post(revoke_path(id), "{}", admin).status, 400) << "without a reason";
  EXPECT_EQ(post(revoke_path(id), R"({"reason":" "})", admin).status, 400);
  EXPECT_EQ(post(revoke_path("key_000000000000"), R"({"reason":"lost"})", admin).status, 404);
  EXPECT_EQ(post(revoke_path("KEY"), R"({"reason":"lost"})", admin).status, 404);
  EXPECT_EQ(post(keys + "/" + id, R"({"reason":"lost"})", admin).status, 404);
  EXPECT_TRUE(logged("key.revoke").empty());
  EXPECT_EQ(post(revoke_path(id), R"({"reason":"laptop stolen"})", admin).status, 200);
  EXPECT_TRUE(soon([&] { return status_of(secret) == 401; }));
  EXPECT_EQ(post(revoke_path(id), R"({"reason":"laptop stolen"})", admin).status, 409);
  const auto revoked = logged("key.revoke");
  ASSERT_EQ(revoked.size(), 4u) << "intent and success, intent and failure";
  EXPECT_EQ(revoked[1].outcome, Outcome::success);
  EXPECT_EQ(revoked[1].subject, id);
  EXPECT_EQ(parse_json(revoked[1].detail).at("reason"), "laptop stolen");
  EXPECT_EQ(parse_json(revoked[3].detail).at("error"), "immutable");

  const auto wrong_method = curl(keys, {"-X", "DELETE", "-H", bearer});
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.header("Allow"), "GET, POST");
  EXPECT_EQ(curl(revoke_path(id), {"-H", bearer}).header("Allow"), "POST");
  serve_locally();
  EXPECT_EQ(curl(keys, {}).status, 403) << "commands of this machine have `liftlock key`";
}

TEST_F(GatewayTest, AnAdminsKeyMakesNoneThatMayMoreThanItself) {
  ApiKey wanted;
  wanted.role = UserRole::auditor;
  add_key(wanted);
  wanted.role = UserRole::admin;
  wanted.models = {"demo*"};
  wanted.expires = parse_time("2099-01-01T00:00:00Z");
  const auto admin = add_key(wanted);
  serve();
  const std::string keys(KeyDesk::k_keys_path);
  const auto within = [](const std::string& more) {
    return R"({"user":"bob","models":["demo-2"],"expires":"2098-12-31T00:00:00Z")" + more + "}";
  };
  for (const auto& body : {within(R"(,"role":"auditor")"), within(R"(,"record":"off")"),
                           std::string(R"({"user":"bob","expires":"2098-12-31T00:00:00Z"})"),
                           std::string(R"({"user":"bob","models":["demo"]})")}) {
    expect_error(keys, post(keys, body, admin), 403, "makes none that may more");
  }
  const auto auditor = newest_of(state(), UserRole::auditor);
  expect_error(keys, post(keys + "/" + auditor + "/revoke", R"({"reason":"it looks"})", admin), 403, "auditor");
  const auto refused = logged("key.add");
  ASSERT_EQ(refused.size(), 8u);
  EXPECT_EQ(refused[1].outcome, Outcome::failure) << "who tried is in the log";
  EXPECT_EQ(parse_json(refused[1].detail).at("error"), "forbidden");
  EXPECT_EQ(parse_json(refused[1].detail).at("role"), "auditor");
  EXPECT_EQ(logged("key.revoke").back().outcome, Outcome::failure);
  for (const auto* more : {R"(,"secret":"mine")", R"(,"id":"key_1")", R"(,"label":"SECRET")", R"(,"record":"never")",
                           R"(,"role":"king")", R"(,"requests_per_minute":-1)", R"(,"requests_per_minute":1000001)",
                           R"(,"note":"a\nb")", R"(,"tokens_per_day":1e30)"}) {
    EXPECT_EQ(post(keys, within(more), admin).status, 400) << more;
  }
  for (const auto* body : {"", "[]", "{}", R"({"user":""})", R"({"user":"bob","models":"demo"})",
                           R"({"user":"bob","expires":"2020-01-01T00:00:00Z"})", R"({"user":"bob","expires":"90d"})"}) {
    EXPECT_EQ(post(keys, body, admin).status, 400) << body;
  }
  EXPECT_EQ(KeyRing(state() / "access.db", Access::read).list().size(), 3u) << "there is no other key";
  EXPECT_EQ(logged("key.add").size(), 8u) << "what is no request is none";
  EXPECT_EQ(post(keys, within(""), admin).status, 200);
}

TEST_F(GatewayTest, WhoIsRevokedMakesNoKeyAnyMore) {
  ApiKey wanted;
  wanted.role = UserRole::admin;
  const auto admin = add_key(wanted);
  serve();
  // The server may not have heard of it yet.
  KeyRing(state() / "access.db").revoke(newest_of(state(), UserRole::admin), now(), "stolen");
  EXPECT_EQ(post(std::string(KeyDesk::k_keys_path), R"({"user":"eve"})", admin).status, 401);
  EXPECT_EQ(KeyRing(state() / "access.db", Access::read).list().size(), 2u);
}

TEST_F(GatewayTest, StrangersDoNotGetLargeBodiesRead) {
  serve();
  const auto heard = post(k_chat, chat(std::string(1'000'000, 'x')), "llk_" + std::string(43, 'x'));
  EXPECT_EQ(heard.status, 401);
  EXPECT_EQ(ask(chat(std::string(100'000, 'x'))).status, 200);
}

TEST_F(GatewayTest, OneModelIsOnlyLookedAt) {
  serve();
  for (const auto* method : {"DELETE", "PUT"}) {
    const auto heard = curl("/v1/models/demo", {"-X", method, "-H", "Authorization: Bearer " + key});
    EXPECT_EQ(heard.status, 405) << method;
  }
  EXPECT_EQ(get("/v1/models/demo").status, 200);
}

TEST_F(GatewayTest, WhoHangsUpBeforeTheCountPaysForWhatWasSaid) {
  ApiKey wanted;
  wanted.limits.tokens_per_day = 2;
  const auto poor = add_key(wanted);
  serve();
  // A first piece, and never the end, with which the counts would come.
  (void)post(k_chat, chat("linger", k_streamed), poor, "5");
  EXPECT_TRUE(soon([&] { return post(k_chat, chat("hello"), poor).status == 429; }));
}

TEST_F(GatewayTest, WhatComesBetweenTheTokensHidesNoAnswer) {
  serve();
  const auto heard = ask(chat("probable", k_streamed));
  ASSERT_EQ(heard.status, 200) << heard.body;
  EXPECT_THAT(heard.body, HasSubstr("logprobs"));
  const auto parts = answer_parts(record_of(heard).answer);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].text, "I stand in.");
  EXPECT_THAT(parts[1].text, HasSubstr("logprobs"));
  RecordReader::Filter filter;
  filter.text = "I stand in.";
  int found = 0;
  reader().find(filter, [&](const RecordHead&) { return ++found > 0; });
  EXPECT_EQ(found, 1);
}

TEST(AnswerWords, KeepsApartWhatAStreamMixes) {
  AnswerWords words;
  std::string record;
  for (const auto* chunk :
       {R"({"choices":[{"index":0,"delta":{"role":"assistant","reasoning":"so "}}]})",
        R"({"choices":[{"index":0,"delta":{"reasoning_content":"be it"}}]})",
        R"({"choices":[{"index":0,"delta":{"content":"a "},"logprobs":{"content":[1]}}]})",
        R"({"choices":[{"index":0,"delta":{"content":"b"},"logprobs":{"content":[2]}}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]}}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"name":"g","arguments":"{}"}}]}}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Bonn\"}"}}]}}]})"}) {
    record += words.of(parse_json(chunk));
  }
  std::map<std::string, std::string> parts;
  for (const auto& part : answer_parts(record)) parts[part.name] = part.text;
  EXPECT_EQ(parts.at("content"), "a b");
  EXPECT_EQ(parts.at("reasoning"), "so be it");
  EXPECT_EQ(parts.at("call 0"), R"({"city":"Bonn"})");
  EXPECT_EQ(parts.at("call 1"), "{}");
  EXPECT_EQ(parts.at("others"), R"({"logprobs":{"content":[1]}}{"logprobs":{"content":[2]}})"
                                R"({"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"x","index":0}]})"
                                R"({"tool_calls":[{"function":{"name":"g"},"index":1}]})");
}

TEST(AnswerWords, OfManyCallsMostStayWithTheOthers) {
  auto calls = Json::array();
  for (int i = 0; i < 1000; ++i) calls.push_back({{"function", {{"arguments", "x"}}}});
  const Json answer = {{"choices", Json::array({{{"message", {{"tool_calls", calls}}}}})}};
  EXPECT_EQ(answer_parts(AnswerWords().of(answer)).size(), 130u) << "content, 128 calls and the others";
}

TEST(AnswerWords, LoseNothingThatAClientGets) {
  const auto words = [](const std::string& text) { return AnswerWords().of(parse_json(text)); };
  EXPECT_EQ(words(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":"stop"}]})"),
            "a");
  EXPECT_EQ(words(R"({"choices":[{"delta":{"content":null,"tool_calls":[]},"logprobs":null}]})"), "");
  for (const auto* hidden : {R"({"choices":[{"message":{"content":"a","refusal":"SECRET"}}]})",
                             R"({"choices":[{"message":{"content":[{"type":"text","text":"SECRET"}]}}]})",
                             R"({"choices":[{"delta":{"reasoning":"SECRET"}}]})",
                             R"({"choices":[{"delta":{},"logprobs":{"content":["SECRET"]}}]})",
                             R"({"choices":[{"delta":{"tool_calls":"SECRET"}}]})",
                             R"({"choices":[{"delta":{"tool_calls":[{"index":"SECRET"}]}}]})",
                             R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":["SECRET"]}}]}}]})",
                             R"({"data":[{"b64_json":""}],"choices":[{"delta":{"content":"SECRET"}}]})"}) {
    EXPECT_THAT(words(hidden), HasSubstr("SECRET")) << hidden;
  }
}

}  // namespace
}  // namespace liftlock
