// A live answer that passes on what a program on a Unix socket says, under curl.
#include "net/live_answer.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "net/server.hpp"
#include "net/upstream.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using std::chrono::milliseconds;

/// Answers every request of every connection by its path, until it is stopped.
class StandIn {
 public:
  explicit StandIn(const fs::path& path) : m_listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(m_listener.get(), 16), 0);
    m_thread = std::thread([this] { run(); });
  }
  ~StandIn() {
    ::shutdown(m_listener.get(), SHUT_RDWR);
    m_thread.join();
    for (auto& thread : m_peers) thread.join();
  }

  std::atomic<int> connections = 0;
  std::atomic<bool> client_left = false;

 private:
  void run() {
    for (;;) {
      const int peer = ::accept(m_listener.get(), nullptr, nullptr);
      if (peer < 0) return;
      ++connections;
      m_peers.emplace_back([this, peer] { serve(UniqueFd(peer)); });
    }
  }

  static void say(const UniqueFd& peer, std::string_view text) {
    ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  void serve(const UniqueFd& peer) {
    std::string request;
    char buffer[4096];
    for (;;) {
      while (request.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::read(peer.get(), buffer, sizeof buffer);
        if (got <= 0) return;
        request.append(buffer, static_cast<std::size_t>(got));
      }
      const bool endless = request.find("/endless") != std::string::npos;
      const bool dies = request.find("/dies") != std::string::npos;
      const bool slow = request.find("/slow") != std::string::npos;
      request.clear();
      say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      say(peer, "4\r\none \r\n");
      if (dies) return;
      if (slow) std::this_thread::sleep_for(milliseconds(200));
      if (endless) {
        // Nothing more is said; the end of the connection is what the test waits for.
        client_left = ::read(peer.get(), buffer, sizeof buffer) == 0;
        return;
      }
      say(peer, "3\r\ntwo\r\n0\r\n\r\n");
    }
  }

  UniqueFd m_listener;
  std::thread m_thread;
  std::vector<std::thread> m_peers;
};

class PassOn final : public LiveAnswer {
 public:
  PassOn(fs::path socket, std::string target, std::atomic<int>& ended)
      : m_socket(std::move(socket)), m_target(std::move(target)), m_ended(ended) {}
  ~PassOn() override { ++m_ended; }

  asio::awaitable<void> run(AnswerSink& sink) override {
    UpstreamExchange upstream(m_socket);
    UnixRequest request;
    request.target = m_target;
    const auto head = co_await upstream.send(request);
    if (m_target == "/whole") {
      const auto body = co_await upstream.read_all();
      auto response = text_response(head.status, "text/plain", body);
      co_await sink.respond(std::move(response));
      co_return;
    }
    auto begin = text_response(200, "text/event-stream", "");
    co_await sink.begin(std::move(begin));
    for (;;) {
      const auto piece = co_await upstream.read();
      if (piece.empty()) co_return;
      co_await sink.write(piece);
    }
  }

 private:
  fs::path m_socket;
  std::string m_target;
  std::atomic<int>& m_ended;
};

class LiveAnswerTest : public ::testing::Test {
 protected:
  LiveAnswerTest() {
    HttpServerOptions options;
    options.threads = 1;
    options.max_body = [](std::string_view, std::string_view path) { return path == "/whole" ? 10u : 0u; };
    m_server = std::make_unique<HttpServer>(std::move(options), [this](const HttpRequest& request) {
      HttpResponse response;
      response.live = std::make_shared<PassOn>(request.path == "/nobody" ? m_folder.path() / "no" : m_path,
                                               std::string(request.path), m_ended);
      return response;
    });
    m_server->start();
  }

  ProcessResult curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"curl", "-sS", "--max-time", "20"});
    ProcessSpec spec;
    spec.argv = std::move(arguments);
    return run_process(spec);
  }
  std::string url(const std::string& path) const { return m_server->url() + path; }

  TemporaryFolder m_folder;
  fs::path m_path = m_folder.path() / "s.sock";
  StandIn m_engine{m_path};
  std::atomic<int> m_ended = 0;
  std::unique_ptr<HttpServer> m_server;
};

TEST_F(LiveAnswerTest, PassesOnWholeAndInPiecesOverKeptConnections) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(curl({url("/whole"), url("/stream")}).output, "one twoone two");
  }
  EXPECT_EQ(m_engine.connections, 1);
  // The client may have all of the last answer before the server is done with it.
  for (int i = 0; i < 12'000 && m_ended < 6; ++i) ::usleep(5'000);
  EXPECT_EQ(m_ended, 6);
  EXPECT_EQ(curl({"--http1.0", url("/stream")}).output, "one two");
}

TEST_F(LiveAnswerTest, SaysSoWhenNobodyAnswersAndBreaksWhenTheEngineDies) {
  const auto nobody = curl({"-w", "%{http_code}", url("/nobody")});
  EXPECT_TRUE(nobody.output.ends_with("502")) << nobody.output;
  const auto died = curl({url("/dies")});
  EXPECT_EQ(died.output, "one ");
  EXPECT_NE(died.status, 0);
}

TEST_F(LiveAnswerTest, ADepartedClientEndsTheWorkUpstream) {
  EXPECT_NE(curl({"--max-time", "5", url("/endless")}).status, 0);
  for (int i = 0; i < 3000 && !m_engine.client_left; ++i) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(m_engine.client_left);
  for (int i = 0; i < 3000 && m_ended == 0; ++i) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(m_ended, 1);
}

TEST_F(LiveAnswerTest, ADepartureIsNoticedWhateverTheConnectionServedBefore) {
  const auto gone = curl({"--max-time", "8", url("/slow"), url("/whole"), url("/slow"), url("/endless")});
  EXPECT_EQ(gone.output, "one twoone twoone twoone ");
  EXPECT_NE(gone.status, 0);
  for (int i = 0; i < 3000 && !m_engine.client_left; ++i) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(m_engine.client_left);
  EXPECT_EQ(m_engine.connections, 1);
  for (int i = 0; i < 3000 && m_ended < 4; ++i) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(m_ended, 4);
}

TEST_F(LiveAnswerTest, TakesABodyOnlyWhereOneIsAllowed) {
  EXPECT_EQ(curl({"-o", "/dev/null", "-w", "%{http_code}", "-d", "12345", url("/whole")}).output, "200");
  EXPECT_EQ(curl({"-o", "/dev/null", "-w", "%{http_code}", "-d", "12345678901", url("/whole")}).output, "413");
  EXPECT_EQ(curl({"-o", "/dev/null", "-w", "%{http_code}", "-d", "12345", url("/stream")}).output, "405");
}

TEST_F(LiveAnswerTest, StopEndsWhatStillRuns) {
  std::thread client([this] { EXPECT_NE(curl({url("/endless")}).status, 0); });
  while (m_engine.connections == 0) std::this_thread::sleep_for(milliseconds(10));
  m_server->stop(milliseconds(200));
  client.join();
  EXPECT_EQ(m_ended, 1);
}

}  // namespace
}  // namespace liftlock
