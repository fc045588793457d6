#include "net/unix_client.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "base/error.hpp"

namespace liftlock {
namespace {

/// Accepts once, reads the request, sends the pieces with a pause between them, closes (or holds the connection).
class OneAnswer {
 public:
  enum class Then { close, hold };
  OneAnswer(const fs::path& path, std::vector<std::string> pieces, Then then = Then::close) {
    m_listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(m_listener.get(), 1), 0);
    m_thread = std::thread([this, pieces = std::move(pieces), then] {
      UniqueFd peer(::accept(m_listener.get(), nullptr, nullptr));
      char buffer[4096];
      // The body may come apart from the head.
      const auto whole = [&] {
        return request.find("\r\n\r\n") != std::string::npos && !request.ends_with("4\r\n\r\n");
      };
      for (ssize_t got = 1; got > 0 && !whole();) {
        got = ::read(peer.get(), buffer, sizeof buffer);
        if (got > 0) request.append(buffer, static_cast<std::size_t>(got));
      }
      for (const auto& piece : pieces) {
        ::send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      if (then == Then::hold && ::read(peer.get(), buffer, sizeof buffer) < 0) ADD_FAILURE() << "read";
    });
  }
  ~OneAnswer() { join(); }
  void join() {
    if (m_thread.joinable()) m_thread.join();
  }
  std::string request;

 private:
  UniqueFd m_listener;
  std::thread m_thread;
};

template <typename F>
std::string slug_of(F&& f) {
  try {
    f();
    return {};
  } catch (const Error& error) {
    return std::string(info(error.code()).slug);
  }
}

class UnixClientTest : public ::testing::Test {
 protected:
  TemporaryFolder m_folder;
  fs::path m_path = m_folder.path() / "s";
};

TEST_F(UnixClientTest, ReadsAnswersOfEveryFraming) {
  for (const auto& pieces : std::vector<std::vector<std::string>>{
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"},
           {"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chu", "nked\r\n\r\n2\r\nhe\r\n3\r", "\nllo\r\n0\r\n\r\n"},
           {"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhe", "llo"}}) {
    fs::remove(m_path);
    OneAnswer server(m_path, pieces);
    const auto response = UnixClient(m_path).request({"POST", "/v1/x", {{"Content-Type", "text/plain"}}, "body"});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(response.header("x-a"), "b");
    server.join();
    EXPECT_TRUE(server.request.starts_with("POST /v1/x HTTP/1.1\r\nHost: localhost\r\n")) << server.request;
    EXPECT_TRUE(server.request.ends_with("Content-Length: 4\r\n\r\nbody")) << server.request;
  }
}

TEST_F(UnixClientTest, StreamsEventsAsTheyCome) {
  OneAnswer server(m_path,
                   {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "b\r\ndata: one\n\n\r\n", "d\r\ndata: two\ndat\r\n", "9\r\na: more\n\n\r\n"},
                   OneAnswer::Then::hold);
  EventStream events;
  std::vector<std::string> seen;
  UnixClient(m_path).stream(
      {}, [](const UnixResponse& head) { return head.status == 200; },
      [&](std::string_view piece) {
        return events.feed(piece, [&](std::string_view data) {
          seen.emplace_back(data);
          return seen.size() < 2;
        });
      });
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two\nmore"}));
}

TEST_F(UnixClientTest, IsNotLedElsewhere) {
  OneAnswer server(m_path, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
  const auto link = m_folder.path() / "link";
  fs::create_symlink(m_path, link);
  EXPECT_EQ(slug_of([&] { UnixClient(link).request({}); }), "not-regular");
  write_file_atomically(m_folder.path() / "file", "x");
  EXPECT_EQ(slug_of([&] { UnixClient(m_folder.path() / "file").request({}); }), "not-regular");
  EXPECT_EQ(slug_of([&] { UnixClient(m_folder.path() / "none").request({}); }), "network");
  EXPECT_EQ(UnixClient(m_path).request({}).status, 200);
}

TEST_F(UnixClientTest, BoundsWhatTheOtherEndDoes) {
  UnixClientLimits tight{
      .max_header = 1000, .max_body = 10, .idle = std::chrono::seconds(60), .total = std::chrono::seconds(60)};
  const auto slug = [&](const std::string& answer, OneAnswer::Then then = OneAnswer::Then::close) {
    fs::remove(m_path);
    OneAnswer server(m_path, {answer}, then);
    return slug_of([&] { UnixClient(m_path, tight).request({}); });
  };
  EXPECT_EQ(slug("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"), "limit-exceeded");
  EXPECT_EQ(slug("HTTP/1.1 200 OK\r\n\r\nhello world, without end"), "limit-exceeded");
  EXPECT_EQ(slug("HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'a') + "\r\n\r\n"), "limit-exceeded");
  EXPECT_EQ(slug("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(100'000, 'a')),
            "limit-exceeded");
  EXPECT_EQ(slug("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), "network");
  EXPECT_EQ(slug(""), "network");
  EXPECT_EQ(slug("SSH-2.0-x\r\n\r\n"), "http-status");
  tight.idle = std::chrono::milliseconds(200);
  EXPECT_EQ(slug("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", OneAnswer::Then::hold), "network");
}

TEST(EventStream, FollowsTheStandardsLineEndsAndComments) {
  std::vector<std::string> seen;
  EventStream events;
  events.feed(": hi\r\ndata:a\r\ndata: b\r\rdata\n\nevent: x\n\nid: 1\ndata: c",
              [&](std::string_view data) { return seen.emplace_back(data), true; });
  EXPECT_EQ(seen, (std::vector<std::string>{"a\nb", ""}));
}

}  // namespace
}  // namespace liftlock
