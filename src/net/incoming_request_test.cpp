// Requests as their bytes come, without a socket: who may have how much of the room for bodies.
#include "net/incoming_request.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "base/code_of.hpp"

namespace liftlock::net_detail {
namespace {

class BodiesTest : public ::testing::Test {
 protected:
  BodiesTest() {
    m_shared.options.max_bodies = 1000;
    m_shared.options.max_body = [](std::string_view, std::string_view) { return std::uint64_t{1000}; };
  }

  static void give(IncomingRequest& request, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto room = request.room(64u << 10);
      const auto part = std::min(room.size(), bytes.size());
      std::copy_n(bytes.begin(), part, room.begin());
      request.arrived(part);
      bytes.remove_prefix(part);
    }
  }
  /// A request whose head is here, and of its body nothing.
  std::unique_ptr<IncomingRequest> begin(const std::string& peer, const std::string& field) {
    auto request = std::make_unique<IncomingRequest>(m_worker, peer);
    request->begin();
    give(*request, "POST /x HTTP/1.1\r\nHost: h\r\n" + field + "\r\n\r\n");
    EXPECT_TRUE(request->has_begun());
    EXPECT_TRUE(request->take_head());
    return request;
  }
  std::unique_ptr<IncomingRequest> announce(const std::string& peer, std::size_t size) {
    return begin(peer, fmt::format("Content-Length: {}", size));
  }
  /// So much more of the body comes: nothing when it is taken.
  static std::optional<ErrorCode> refused(IncomingRequest& request, std::size_t size) {
    give(request, std::string(size, 'x'));
    return code_of([&] { request.take_body(); });
  }

  Shared m_shared;
  Worker m_worker{m_shared};
};

TEST_F(BodiesTest, WhatIsOnlyAnnouncedTakesNothingFromOthers) {
  std::vector<std::unique_ptr<IncomingRequest>> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(announce("10.0.0.1", 1000));
  const auto other = announce("10.0.0.2", 400);
  EXPECT_EQ(refused(*other, 400), std::nullopt);
  EXPECT_EQ(other->request().body.size(), 400u);
}

TEST_F(BodiesTest, OnePeerHasHalfAtMost) {
  const auto first = announce("10.0.0.1", 1000), second = announce("10.0.0.1", 1000);
  EXPECT_EQ(refused(*first, 300), std::nullopt);
  EXPECT_EQ(refused(*second, 200), std::nullopt);
  EXPECT_EQ(refused(*second, 1), ErrorCode::overloaded);
  const auto other = announce("10.0.0.2", 500);
  EXPECT_EQ(refused(*other, 500), std::nullopt);
  first->let_go_of_body();
  EXPECT_EQ(refused(*announce("10.0.0.1", 300), 300), std::nullopt);
}

TEST_F(BodiesTest, ChunksCountAsTheyCome) {
  const auto chunked = begin("10.0.0.1", "Transfer-Encoding: chunked");
  give(*chunked, "1f4\r\n");
  EXPECT_EQ(refused(*chunked, 500), std::nullopt);
  EXPECT_EQ(refused(*announce("10.0.0.1", 1), 1), ErrorCode::overloaded);
}

TEST_F(BodiesTest, WhoOwnsTheServerHasAll) {
  EXPECT_EQ(refused(*announce(std::string(k_local_peer), 900), 900), std::nullopt);
}

TEST(BodyBytes, AHostWithManyAddressesIsOnePeer) {
  net_detail::BodyBytes room;
  EXPECT_TRUE(room.take("2001:db8::1", 40, 100));
  EXPECT_FALSE(room.take("2001:db8::2", 20, 100)) << "the same /64";
  EXPECT_TRUE(room.take("2001:db8:0:1::1", 40, 100));
  room.give_back("2001:db8::3", 40);
  EXPECT_TRUE(room.take("2001:db8::2", 20, 100));
}

}  // namespace
}  // namespace liftlock::net_detail
