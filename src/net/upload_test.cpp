// Bodies that are made while they go, to our own server on loopback.
#include "net/upload.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "net/raw_server.hpp"
#include "net/server.hpp"

namespace liftlock {
namespace {

class Letters final : public RequestBody {
 public:
  Letters(std::uint64_t said, std::uint64_t real) : m_said(said), m_left(real) {}
  std::uint64_t size() const override { return m_said; }
  std::string_view next() override {
    const auto size = std::min<std::uint64_t>(m_left, m_piece.size());
    m_left -= size;
    return std::string_view(m_piece).substr(0, size);
  }

 private:
  std::uint64_t m_said, m_left;
  std::string m_piece = std::string(100'000, 'x');
};

class UploadTest : public ::testing::Test {
 protected:
  UploadTest() {
    HttpServerOptions options;
    options.threads = 1;
    options.max_body = [](std::string_view, std::string_view path) { return path == "/none" ? 0u : 8u << 20; };
    m_server = std::make_unique<HttpServer>(options, [](const HttpRequest& request) {
      return text_response(201, "text/plain", fmt::format("{} {} bytes", request.method, request.body.size()));
    });
    m_server->start();
  }

  UnixResponse send(RequestBody& body, const std::string& path = "/it", std::string_view network = "127.0.0.0/8") {
    return send_to(m_server->port(), body, {}, path, network);
  }

  static UnixResponse send_to(std::uint16_t port, RequestBody& body, const UnixClientLimits& limits,
                              const std::string& path = "/it", std::string_view network = "127.0.0.0/8") {
    const RemoteServer server{HttpAddress::parse(fmt::format("http://127.0.0.1:{}", port)).value(),
                              std::make_shared<Networks>(std::vector{Network::parse(network).value()}),
                              {}};
    const UnixRequest request{.method = "PUT", .target = path, .headers = {}, .body = {}};
    UnixResponse answer;
    std::exception_ptr failed;
    asio::io_context context;
    const auto talk = [&]() -> asio::awaitable<void> { answer = co_await upload(server, request, body, limits); };
    asio::co_spawn(context, talk(), [&](std::exception_ptr error) { failed = error; });
    context.run();
    if (failed) std::rethrow_exception(failed);
    return answer;
  }

  std::unique_ptr<HttpServer> m_server;
};

TEST_F(UploadTest, ABodyArrivesWhole) {
  for (const std::uint64_t size : {0, 1, 100'000, 1'234'567}) {
    Letters body(size, size);
    const auto answer = send(body);
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, fmt::format("PUT {} bytes", size));
  }
}

TEST_F(UploadTest, WhoRefusesABodyIsHeard) {
  Letters body(4'000'000, 4'000'000);
  EXPECT_EQ(send(body, "/none").status, 405);
}

TEST_F(UploadTest, ABodyOfAnotherSizeIsNoRequest) {
  Letters longer(1000, 2000), shorter(2000, 1000);
  EXPECT_EQ(code_of([&] { send(longer); }), ErrorCode::internal);
  EXPECT_EQ(code_of([&] { send(shorter); }), ErrorCode::internal);
}

TEST_F(UploadTest, NothingIsSentOutsideOfTheNetworks) {
  Letters body(1, 1);
  EXPECT_EQ(code_of([&] { send(body, "/it", "10.0.0.0/8"); }), ErrorCode::network);
}

TEST_F(UploadTest, AnExtensionOfAChunkWithoutEndIsRefused) {
  const RawServer endless([](int fd) {
    RawServer::read_head(fd);
    const std::string more(1u << 16, 'a');
    bool heard = RawServer::say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;");
    for (int i = 0; i < 256 && heard; ++i) heard = RawServer::say(fd, more);
  });
  Letters body(0, 0);
  EXPECT_EQ(code_of([&] { send_to(endless.port(), body, {}); }), ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace liftlock
