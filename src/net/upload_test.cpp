// Bodies that are made while they go, to our own server on loopback.
#include "net/upload.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "net/raw_server.hpp"
#include "net/server.hpp"
#include "os/process.hpp"

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
  UploadTest() { serve({}); }

  void serve(std::optional<TlsSettings> tls) {
    HttpServerOptions options;
    options.threads = 1;
    options.tls = std::move(tls);
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
                              const std::string& path = "/it", std::string_view network = "127.0.0.0/8",
                              const ClientTls& tls = {}) {
    const RemoteServer server{
        HttpAddress::parse(fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", port)).value(),
        std::make_shared<Networks>(std::vector{Network::parse(network).value()}), tls};
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

TEST_F(UploadTest, WhoAnswersAndReadsNoFurtherIsHeard) {
  std::promise<void> done;
  const RawServer full([&](int fd) {
    RawServer::read_head(fd);
    RawServer::say(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\nno ");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    RawServer::say(fd, "room");
    done.get_future().wait();
  });
  Letters body(1u << 30, 1u << 30);
  UnixResponse answer;
  const auto code = code_of([&] { answer = send_to(full.port(), body, {.idle = std::chrono::seconds(2)}); });
  done.set_value();
  EXPECT_EQ(code, std::nullopt);
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "no room");
}

TEST_F(UploadTest, WhoNeitherReadsNorAnswersIsGivenUp) {
  std::promise<void> done;
  const RawServer silent([&](int fd) {
    RawServer::read_head(fd);
    done.get_future().wait();
  });
  Letters body(1u << 30, 1u << 30);
  const auto code = code_of([&] { send_to(silent.port(), body, {.idle = std::chrono::milliseconds(200)}); });
  done.set_value();
  EXPECT_EQ(code, ErrorCode::network);
}

TEST_F(UploadTest, AnAnswerMayTakeLongerThanAPiece) {
  const auto slow = [](int fd) {
    RawServer::read_head(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    RawServer::say(fd, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  };
  const UnixClientLimits patient{.idle = std::chrono::milliseconds(200), .first_byte = std::chrono::seconds(10)};
  const UnixClientLimits tight{.idle = std::chrono::seconds(10), .first_byte = std::chrono::milliseconds(200)};
  Letters body(0, 0);
  const RawServer one(slow), two(slow);
  EXPECT_EQ(send_to(one.port(), body, patient).status, 201);
  EXPECT_EQ(code_of([&] { send_to(two.port(), body, tight); }), ErrorCode::network);
}

TEST_F(UploadTest, ABodyGoesOverTls) {
  const TemporaryFolder folder;
  const auto key = folder.path() / "key", certificate = folder.path() / "certificate";
  ProcessSpec spec;
  spec.argv = {"openssl", "req",   "-x509", "-newkey",  "ec",       "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes",  "-days", "2",     "-subj",    "/CN=here", "-addext",  "subjectAltName=IP:127.0.0.1",
               "-keyout", key,     "-out",  certificate};
  run_process_checked(spec);
  serve(TlsSettings{certificate, key, TlsSettings::Minimum::tls13, {}});
  const auto trusted = make_client_tls(certificate);
  Letters whole(1'234'567, 1'234'567), refused(4'000'000, 4'000'000);
  EXPECT_EQ(send_to(m_server->port(), whole, {}, "/it", "127.0.0.0/8", trusted).body, "PUT 1234567 bytes");
  EXPECT_EQ(send_to(m_server->port(), refused, {}, "/none", "127.0.0.0/8", trusted).status, 405);
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
