// The client of a peer against one that breaks off; tests/interop/sync_test.sh has the rest.
#include "sync/peer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/code_of.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "net/raw_server.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_range = "\r\nRange: bytes=";

/// Where the client goes on.
std::uint64_t first_of(std::string_view head) {
  const auto at = head.find(k_range);
  if (at == std::string_view::npos) return 0;
  const auto rest = head.substr(at + k_range.size());
  return parse_uint(rest.substr(0, rest.find('-'))).value();
}

class PeerTest : public ::testing::Test {
 protected:
  /// All from `first` on is announced, and so many bytes of it come.
  std::string part(std::uint64_t first, std::uint64_t bytes) const {
    const auto size = m_content.size();
    const auto head = first == 0 ? fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", size)
                                 : fmt::format(
                                       "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\n"
                                       "Content-Length: {}\r\n\r\n",
                                       first, size - 1, size, size - first);
    return head + m_content.substr(first, bytes);
  }

  /// @param answer to the connection of that number, whose client wants the bytes from `first` on
  /// @return why the blob did not come
  std::optional<ErrorCode> fetch(std::chrono::milliseconds patience,
                                 const std::function<std::string(unsigned number, std::uint64_t first)>& answer) {
    const RawServer server(
        [&](int fd) {
          const auto head = RawServer::read_head(fd);
          RawServer::say(fd, answer(m_connections++, first_of(head)));
        },
        k_most_connections);
    const Peer peer{
        .server = {.address = HttpAddress::parse(fmt::format("http://127.0.0.1:{}", server.port())).value(),
                   .networks = std::make_shared<Networks>(std::vector{Network::parse("127.0.0.0/8").value()}),
                   .tls = nullptr},
        .token = {},
        .patience = patience};
    PeerConnection connection(peer);
    const auto file = open_file(m_folder.path() / "part", O_RDWR | O_CREAT);
    return code_of([&] { connection.blob(sha256(m_content), m_content.size(), file.get(), {}); });
  }

  /// Then it answers no longer: what did not give up before will then.
  static constexpr unsigned k_most_connections = 1000;
  const std::string m_content = std::string(300'000, 'a') + std::string(100'000, 'b');
  const TemporaryFolder m_folder;
  std::atomic<unsigned> m_connections = 0;
};

TEST_F(PeerTest, WhatComesInPiecesIsWhole) {
  const auto refused = fetch(std::chrono::minutes(1), [&](unsigned, std::uint64_t first) { return part(first, 9000); });
  EXPECT_EQ(refused, std::nullopt);
  EXPECT_EQ(read_file(m_folder.path() / "part", 1u << 20), m_content);
  EXPECT_EQ(m_connections, 45u);
}

TEST_F(PeerTest, AByteOnEachConnectionIsTooLittle) {
  const auto refused =
      fetch(std::chrono::milliseconds(200), [&](unsigned, std::uint64_t first) { return part(first, 1); });
  EXPECT_EQ(refused, ErrorCode::network);
  EXPECT_LT(m_connections, k_most_connections);
}

TEST_F(PeerTest, TheSameBytesAgainAreNothing) {
  // It knows no ranges, and every second connection brings what the one before it took away.
  const auto refused = fetch(std::chrono::seconds(2),
                             [&](unsigned number, std::uint64_t) { return part(0, number % 2 == 0 ? 100'000 : 0); });
  EXPECT_EQ(refused, ErrorCode::network);
  EXPECT_LT(m_connections, 10u);
}

}  // namespace
}  // namespace liftlock
