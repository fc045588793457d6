// The server under real clients: curl, openssl s_client, and raw sockets for what no honest client sends.
#include "net/server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "base/json.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t k_big = 64u << 20;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    m_file = std::make_shared<const UniqueFd>(open_file(m_folder.path() / "big", O_RDWR | O_CREAT | O_CLOEXEC));
    std::string block(1u << 20, 'x');
    for (std::uint64_t at = 0; at < k_big; at += block.size()) {
      block[0] = static_cast<char>('a' + (at >> 20) % 26);
      write_all(m_file->get(), block, "big");
    }
  }

  HttpServer& serve(HttpServerOptions options = {}) {
    m_server = std::make_unique<HttpServer>(std::move(options),
                                            [this](const HttpRequest& request) { return handle(request); });
    m_server->start();
    return *m_server;
  }

  HttpResponse handle(const HttpRequest& request) {
    if (request.method != "GET" && request.method != "HEAD") fail(ErrorCode::method_not_allowed, "{}", request.method);
    if (request.path == "/big") {
      ++m_big_requests;
      HttpResponse response;
      response.body = FileBody{m_file, 0, k_big};
      return response.set("ETag", "\"big\"").set("Content-Type", "application/octet-stream");
    }
    if (request.path == "/short") {
      HttpResponse response;
      response.body = FileBody{m_file, 0, k_big + 1};
      return response;
    }
    if (request.path == "/throw") throw std::runtime_error("secret words");
    if (request.path != "/hello") fail(ErrorCode::not_found, "{}", request.path);
    return text_response(200, "text/plain", "hello from " + std::string(request.peer)).set("ETag", "\"h\"");
  }

  ProcessResult curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"curl", "-sS", "--max-time", "60"});
    ProcessSpec spec;
    spec.argv = std::move(arguments);
    spec.max_output = 2 * k_big;
    return run_process(spec);
  }

  UniqueFd connect() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(m_server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// Everything until the server closes; "(open)" is appended when it does not within the time.
  static std::string read_to_end(const UniqueFd& fd, int milliseconds_to_wait = 5000) {
    std::string all;
    for (;;) {
      pollfd poll_fd{fd.get(), POLLIN, 0};
      if (::poll(&poll_fd, 1, milliseconds_to_wait) <= 0) return all + "(open)";
      char buffer[65536];
      const auto got = ::read(fd.get(), buffer, sizeof buffer);
      if (got <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(got));
    }
  }

  std::string exchange(std::string_view bytes) {
    const auto fd = connect();
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    return read_to_end(fd);
  }

  TlsSettings make_certificate(const std::string& name) {
    const auto key = m_folder.path() / (name + ".key"), certificate = m_folder.path() / (name + ".pem");
    ProcessSpec spec;
    spec.argv = {"openssl", "req",   "-x509", "-newkey",  "ec",          "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes",  "-days", "2",     "-subj",    "/CN=" + name, "-addext",  "subjectAltName=IP:127.0.0.1",
                 "-keyout", key,     "-out",  certificate};
    run_process_checked(spec);
    return {certificate, key, TlsSettings::Minimum::tls13, {}};
  }

  TemporaryFolder m_folder;
  std::shared_ptr<const UniqueFd> m_file;
  std::atomic<int> m_big_requests = 0;
  std::unique_ptr<HttpServer> m_server;
};

TEST_F(ServerTest, AnswersCurl) {
  const auto url = serve().url();
  EXPECT_EQ(curl({url + "/hello"}).output, "hello from 127.0.0.1");
  const auto head = curl({"-I", url + "/hello"}).output;
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
  EXPECT_NE(head.find("Content-Length: 20\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Accept-Ranges: bytes\r\n"), std::string::npos) << head;
  EXPECT_EQ(curl({"-w", "%{http_code}", "-H", "If-None-Match: \"h\"", url + "/hello"}).output, "304");
  EXPECT_EQ(curl({"-r", "0-4", url + "/hello"}).output, "hello");
  EXPECT_EQ(curl({"-r", "-9", url + "/hello"}).output, "127.0.0.1");
  EXPECT_EQ(curl({"-H", "Range: bytes=0-1,3-4", url + "/hello"}).output, "hello from 127.0.0.1");
  EXPECT_EQ(curl({"-H", "If-Range: \"other\"", "-r", "0-4", url + "/hello"}).output, "hello from 127.0.0.1");
  EXPECT_EQ(curl({"-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", url + "/hello", "-o", "/dev/null",
                  url + "/hello"})
                .output,
            "200 1\n200 0\n");
}

TEST_F(ServerTest, SendsFilesWholeAndInParts) {
  const auto url = serve().url();
  const auto whole = curl({url + "/big"}).output;
  ASSERT_EQ(whole.size(), k_big);
  EXPECT_EQ(whole[5u << 20], 'f');
  EXPECT_EQ(curl({"-r", "5242880-5242882", url + "/big"}).output, "fxx");
  EXPECT_EQ(curl({"-o", "/dev/null", "-w", "%{http_code} %header{content-range}", "-r", "99999999-", url + "/big"})
                .output.substr(0, 3),
            "416");
  // A file that is shorter than announced must look broken to the client, not complete.
  EXPECT_NE(curl({"-o", "/dev/null", url + "/short"}).status, 0);
}

TEST_F(ServerTest, TurnsErrorsIntoProblems) {
  const auto url = serve().url();
  const auto absent = curl({"-i", url + "/nothing"}).output;
  EXPECT_TRUE(absent.starts_with("HTTP/1.1 404 Not Found\r\n")) << absent;
  EXPECT_NE(absent.find("Content-Type: application/problem+json\r\n"), std::string::npos);
  EXPECT_NE(absent.find("\"code\": \"not-found\""), std::string::npos);
  EXPECT_NE(curl({"-i", "--path-as-is", url + "/a/../../etc/passwd"}).output.find("HTTP/1.1 400"), std::string::npos);
  EXPECT_NE(curl({"-i", "--path-as-is", url + "/%2e%2e/x"}).output.find("\"code\": \"bad-request\""),
            std::string::npos);
  const auto post = curl({"-i", "-X", "POST", url + "/hello"}).output;
  EXPECT_TRUE(post.starts_with("HTTP/1.1 405")) << post;
  EXPECT_NE(post.find("Allow: GET, HEAD"), std::string::npos);
  EXPECT_NE(curl({"-i", "-d", "body", url + "/hello"}).output.find("HTTP/1.1 405"), std::string::npos);
  EXPECT_NE(curl({"-i", "-X", "GET", "-d", "body", url + "/hello"}).output.find("HTTP/1.1 413"), std::string::npos);
  EXPECT_EQ(curl({"-i", url + "/throw"}).output.find("secret"), std::string::npos);
}

TEST_F(ServerTest, BoundsHeaders) {
  const auto url = serve().url();
  const auto headers = m_folder.path() / "headers";
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "X-" + std::to_string(i) + ": " + std::string(10'000, 'a') + "\n";
  write_file_atomically(headers, lines);
  const auto answer = curl({"-i", "-H", "@" + headers.string(), url + "/hello"});
  EXPECT_TRUE(answer.output.starts_with("HTTP/1.1 431")) << answer.output << answer.error_output;
  EXPECT_TRUE(
      exchange("GET /" + std::string(12'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 414"));
  EXPECT_TRUE(exchange("\x16\x03\x01 hello").starts_with("HTTP/1.1 400"));
}

TEST_F(ServerTest, ABodyThatIsOneTooManyIsAnswered) {
  HttpServerOptions options;
  options.max_bodies = 1000;
  options.max_body = [](std::string_view, std::string_view) { return std::uint64_t{1000}; };
  serve(options);
  const std::string head = "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ";
  EXPECT_TRUE(exchange(head + "400\r\n\r\n" + std::string(400, 'x')).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(exchange(head + "600\r\n\r\n" + std::string(600, 'x')).starts_with("HTTP/1.1 503"));
}

TEST_F(ServerTest, RefusesSmugglingAndClosesTheConnection) {
  serve();
  const std::string hidden = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string fields :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 0\r\nContent-Length: 40\r\n",
        "Transfer-Encoding: chunked\r\n", "Content-Length: 33\r\n"}) {
    const auto answer = exchange("GET /hello HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + hidden);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 4")) << fields << answer;
    EXPECT_EQ(answer.find("hello from"), std::string::npos) << fields;
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  serve();
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
  const auto answers = exchange(requests + "GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answers.find("hello from", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 50u);
  EXPECT_NE(answers.find("404 Not Found"), std::string::npos);
}

TEST_F(ServerTest, EndsSlowHeadersIdleConnectionsAndStalledReaders) {
  HttpServerOptions options;
  options.header_time = options.idle_time = options.stall_time = milliseconds(400);
  serve(options);
  const auto slow = connect();
  std::thread drip([&] {
    for (int i = 0; i < 40; ++i) {
      if (::send(slow.get(), i == 0 ? "GET /" : "a", i == 0 ? 5 : 1, MSG_NOSIGNAL) < 0) break;
      std::this_thread::sleep_for(milliseconds(50));
    }
  });
  EXPECT_TRUE(read_to_end(slow).starts_with("HTTP/1.1 408"));
  drip.join();
  EXPECT_EQ(read_to_end(connect()), "");
  const auto stalled = connect();
  const std::string_view request = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
  ::send(stalled.get(), request.data(), request.size(), MSG_NOSIGNAL);
  while (m_big_requests == 0) std::this_thread::sleep_for(milliseconds(5));
  for (int i = 0; i < 600 && m_server->connections() > 0; ++i) std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(m_server->connections(), 0u);
  EXPECT_LT(read_to_end(stalled).size(), k_big);
}

TEST_F(ServerTest, BoundsConnections) {
  HttpServerOptions options;
  options.max_connections = 3;
  serve(options);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 3; ++i) held.push_back(connect());
  while (m_server->connections() < 3) std::this_thread::sleep_for(milliseconds(5));
  const auto refusal = read_to_end(connect());
  EXPECT_TRUE(refusal.starts_with("HTTP/1.1 503 ")) << refusal;
  EXPECT_NE(refusal.find("Retry-After: 1\r\n"), std::string::npos) << refusal;
  const auto body = refusal.substr(refusal.find("\r\n\r\n") + 4);
  EXPECT_EQ(parse_json(body)["code"], "too-many-connections") << refusal;
  held.clear();
  while (m_server->connections() > 0) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(curl({m_server->url() + "/hello"}).status, 0);
}

TEST_F(ServerTest, ServesDownloadsBeside3000IdleConnections) {
  const auto url = serve().url();
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 3000; ++i) idle.push_back(connect());
  for (int i = 0; i < 2000 && m_server->connections() < 3000; ++i) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(m_server->connections(), 3000u);
  EXPECT_EQ(curl({url + "/big"}).output.size(), k_big);
  EXPECT_EQ(curl({url + "/hello"}).output, "hello from 127.0.0.1");
}

TEST_F(ServerTest, StopFinishesARunningDownload) {
  const auto url = serve().url();
  const auto idle = connect();
  auto download = std::async(std::launch::async, [&] { return curl({"--limit-rate", "40M", url + "/big"}); });
  while (m_big_requests == 0) std::this_thread::sleep_for(milliseconds(5));
  const auto began = std::chrono::steady_clock::now();
  m_server->stop(std::chrono::seconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
  EXPECT_EQ(download.get().output.size(), k_big);
  EXPECT_EQ(read_to_end(idle), "");
  EXPECT_NE(curl({url + "/hello"}).status, 0);
}

TEST_F(ServerTest, StopGivesUpAtItsDeadline) {
  const auto url = serve().url();
  auto download = std::async(std::launch::async, [&] { return curl({"--limit-rate", "1M", url + "/big"}); });
  while (m_big_requests == 0) std::this_thread::sleep_for(milliseconds(5));
  m_server->stop(milliseconds(200));
  EXPECT_NE(download.get().status, 0);
}

TEST_F(ServerTest, SpeaksTls13AndOlderOnlyWhenAllowed) {
  HttpServerOptions options;
  options.tls = make_certificate("one");
  const auto url = serve(options).url();
  const auto ca = options.tls->certificate.string();
  ASSERT_TRUE(url.starts_with("https://"));
  EXPECT_EQ(curl({"--cacert", ca, url + "/hello"}).output, "hello from 127.0.0.1");
  EXPECT_EQ(curl({"--cacert", ca, url + "/big"}).output.size(), k_big);
  EXPECT_EQ(curl({"--cacert", ca, "-r", "1-3", url + "/hello"}).output, "ell");
  EXPECT_NE(curl({"--cacert", ca, "--tls-max", "1.2", url + "/hello"}).status, 0);
  const auto s_client = [&](const std::string& version) {
    ProcessSpec spec;
    spec.argv = {"openssl", "s_client", "-brief", version, "-connect", "127.0.0.1:" + std::to_string(m_server->port())};
    return run_process(spec);
  };
  EXPECT_EQ(s_client("-tls1_3").status, 0);
  EXPECT_NE(s_client("-tls1_2").status, 0);

  options.tls->minimum = TlsSettings::Minimum::tls12;
  serve(options);
  EXPECT_EQ(s_client("-tls1_2").status, 0);
  EXPECT_NE(s_client("-tls1_1").status, 0);
}

TEST_F(ServerTest, ReloadsItsCertificateAndKeepsTheOldOneWhenTheNewIsBroken) {
  HttpServerOptions options;
  options.tls = make_certificate("one");
  const auto url = serve(options).url();
  const auto old_certificate = m_folder.path() / "old.pem";
  fs::copy_file(options.tls->certificate, old_certificate);
  write_file_atomically(options.tls->key, "nonsense");
  EXPECT_THROW(m_server->reload_tls(), Error);
  EXPECT_EQ(curl({"--cacert", old_certificate, url + "/hello"}).status, 0);
  make_certificate("one");
  m_server->reload_tls();
  EXPECT_EQ(curl({"--cacert", options.tls->certificate, url + "/hello"}).status, 0);
  EXPECT_NE(curl({"--cacert", old_certificate, url + "/hello"}).status, 0);
}

}  // namespace
}  // namespace liftlock
