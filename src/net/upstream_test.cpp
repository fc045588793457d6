// Exchanges with servers on other machines, for which our own server stands in on loopback.
#include "net/upstream.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <set>

#include "base/code_of.hpp"
#include "net/raw_server.hpp"
#include "net/server.hpp"
#include "os/process.hpp"

/// The name service of a site that has lost its servers: this name takes long.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  if (name != nullptr && std::string_view(name) == "slow.invalid") {
    std::this_thread::sleep_for(std::chrono::seconds(20));
    return EAI_AGAIN;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(name, service, hints, found);
}

namespace liftlock {
namespace {

using std::chrono::milliseconds;

std::shared_ptr<const Networks> networks(std::string_view text = "127.0.0.0/8") {
  return std::make_shared<Networks>(std::vector{Network::parse(text).value()});
}

struct Heard {
  int status = 0;
  std::string body;
};

Heard exchange(const Upstream& upstream, UnixClientLimits limits = {}, int times = 1) {
  Heard heard;
  std::exception_ptr failure;
  asio::io_context context;
  const auto talk = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < times; ++i) {
      UpstreamExchange one(upstream, limits);
      UnixRequest request;
      request.target = "/hello";
      const auto head = co_await one.send(request);
      heard.status = head.status;
      heard.body = co_await one.read_all();
    }
  };
  asio::co_spawn(context, talk(), [&](std::exception_ptr thrown) { failure = thrown; });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return heard;
}

class UpstreamTest : public ::testing::Test {
 protected:
  std::uint16_t serve(std::optional<TlsSettings> tls = {}) {
    HttpServerOptions options;
    options.threads = 1;
    options.tls = std::move(tls);
    m_server = std::make_unique<HttpServer>(options, [this](const HttpRequest& request) {
      m_peers.insert(std::string(request.peer));
      return text_response(200, "text/plain", "hello " + std::string(request.header("Host")));
    });
    m_server->start();
    return m_server->port();
  }

  TlsSettings make_certificate(const std::string& name, const std::string& alternative) const {
    const auto key = m_folder.path() / (name + ".key"), certificate = m_folder.path() / (name + ".pem");
    ProcessSpec spec;
    spec.argv = {"openssl", "req",   "-x509", "-newkey",  "ec",          "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes",  "-days", "2",     "-subj",    "/CN=" + name, "-addext",  "subjectAltName=" + alternative,
                 "-keyout", key,     "-out",  certificate};
    run_process_checked(spec);
    return {certificate, key, TlsSettings::Minimum::tls13, {}};
  }

  static RemoteServer at(const std::string& address, ClientTls tls = {}) {
    return {HttpAddress::parse(address).value(), networks(), std::move(tls)};
  }

  TemporaryFolder m_folder;
  std::set<std::string> m_peers;
  std::unique_ptr<HttpServer> m_server;
};

TEST_F(UpstreamTest, AsksAServerByAddressAndByName) {
  const auto port = serve();
  EXPECT_EQ(exchange(at(fmt::format("http://127.0.0.1:{}", port))).body, fmt::format("hello 127.0.0.1:{}", port));
  EXPECT_EQ(exchange(at(fmt::format("http://localhost:{}", port))).body, fmt::format("hello localhost:{}", port));
}

TEST_F(UpstreamTest, ConnectionsAreUsedAgain) {
  const auto port = serve();
  EXPECT_EQ(exchange(at(fmt::format("http://127.0.0.1:{}", port)), {}, 5).status, 200);
  EXPECT_LE(m_server->connections(), 1u);
}

TEST_F(UpstreamTest, WhatLiesOutsideOfTheNetworksIsNotConnectedTo) {
  const auto port = serve();
  for (const auto* host : {"127.0.0.1", "localhost"}) {
    auto server = at(fmt::format("http://{}:{}", host, port));
    server.networks = networks("10.0.0.0/8");
    EXPECT_EQ(code_of([&] { exchange(server); }), ErrorCode::network);
  }
  EXPECT_EQ(m_peers.size(), 0u);
}

TEST_F(UpstreamTest, ACertificateIsCheckedForItsIssuerAndItsName) {
  const auto by_address = make_certificate("address", "IP:127.0.0.1");
  const auto other = make_certificate("other", "DNS:other.example");
  const auto trusted = make_client_tls(by_address.certificate);
  auto port = serve(by_address);
  EXPECT_EQ(exchange(at(fmt::format("https://127.0.0.1:{}", port), trusted), {}, 3).status, 200);
  EXPECT_EQ(code_of([&] { exchange(at(fmt::format("https://localhost:{}", port), trusted)); }), ErrorCode::tls_invalid);
  EXPECT_EQ(
      code_of([&] { exchange(at(fmt::format("https://127.0.0.1:{}", port), make_client_tls(other.certificate))); }),
      ErrorCode::tls_invalid);
  port = serve(other);
  EXPECT_EQ(
      code_of([&] { exchange(at(fmt::format("https://127.0.0.1:{}", port), make_client_tls(other.certificate))); }),
      ErrorCode::tls_invalid);
  EXPECT_EQ(code_of([&] { make_client_tls(m_folder.path() / "none"); }), ErrorCode::tls_invalid);
}

TEST_F(UpstreamTest, DoesNotWaitForEver) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto server = at(fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port)));
  EXPECT_EQ(code_of([&] { exchange(server); }), ErrorCode::network);  // nobody listens
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  UnixClientLimits limits;
  limits.first_byte = milliseconds(200);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of([&] { exchange(server, limits); }), ErrorCode::network);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(5000));
  // A listener that never shakes hands.
  auto tls = server;
  tls.address.tls = true;
  tls.tls = make_client_tls(make_certificate("a", "IP:127.0.0.1").certificate);
  limits.connect = milliseconds(200);
  EXPECT_EQ(code_of([&] { exchange(tls, limits); }), ErrorCode::network);
}

TEST_F(UpstreamTest, ANameIsNotLookedUpForEver) {
  UnixClientLimits limits;
  limits.connect = milliseconds(200);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of([&] { exchange(at("http://slow.invalid:80"), limits); }), ErrorCode::network);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(UpstreamTest, AContextEndsWithItsExchange) {
  const auto server = at(fmt::format("http://127.0.0.1:{}", serve()));
  auto least = std::chrono::steady_clock::duration::max();  // a busy machine is slow at times, and waiting at each
  for (int i = 0; i < 50; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(exchange(server).status, 200);
    least = std::min(least, std::chrono::steady_clock::now() - begin);
  }
  EXPECT_LT(least, milliseconds(15));
}

TEST_F(UpstreamTest, WaitsAfterAnExchangeEndToo) {
  const auto server = at(fmt::format("http://127.0.0.1:{}", serve()));
  const RawServer silent([](int fd) { RawServer::wait_for_end(fd); });
  UnixClientLimits limits;
  limits.first_byte = milliseconds(200);
  const std::vector upstreams{server, at(fmt::format("http://127.0.0.1:{}", silent.port()))};
  const UnixRequest request;
  std::exception_ptr failure;
  asio::io_context context;
  const auto talk = [&]() -> asio::awaitable<void> {
    for (const auto& upstream : upstreams) {
      UpstreamExchange one(upstream, limits);
      co_await one.send(request);
      co_await one.read_all();
    }
  };
  asio::co_spawn(context, talk(), [&](std::exception_ptr thrown) { failure = thrown; });
  context.run_for(std::chrono::seconds(10));
  ASSERT_TRUE(failure);
  EXPECT_EQ(code_of([&] { std::rethrow_exception(failure); }), ErrorCode::network);
}

TEST_F(UpstreamTest, AnExtensionOfAChunkWithoutEndIsRefused) {
  const RawServer endless([](int fd) {
    RawServer::read_head(fd);
    const std::string more(1u << 16, 'a');
    bool heard = RawServer::say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;");
    for (int i = 0; i < 256 && heard; ++i) heard = RawServer::say(fd, more);
  });
  EXPECT_EQ(code_of([&] { exchange(at(fmt::format("http://127.0.0.1:{}", endless.port()))); }),
            ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace liftlock
