#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "base/error.hpp"
#include "offline/dns.hpp"
#include "offline/http_counter.hpp"
#include "offline/mirror_lists.hpp"
#include "offline/mirror_relay.hpp"
#include "offline/resolver.hpp"
#include "offline/run_history.hpp"
#include "offline/socket_address.hpp"
#include "offline/sockets.hpp"
#include "offline/unix_doors.hpp"

namespace liftlock::offline {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::Pair;

struct Counted {
  std::vector<std::pair<std::string, int>> answers;
  HttpCounter counter{[this](std::string_view target, int status) { answers.emplace_back(target, status); }};
};

TEST(MirrorRelay, AClientThatHungUpDoesNotKeepItBusy) {
  const auto listening = [](int& port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_storage address{};
    auto size = to_socket_address(*IpAddress::parse("127.0.0.1"), 0, address);
    const int small = 4096;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd.get(), 4), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = parse_socket_address({reinterpret_cast<const std::uint8_t*>(&address), size})->port;
    return fd;
  };
  int mirror_port = 0, inner_port = 0;
  const auto mirror = listening(mirror_port), inner = listening(inner_port);
  MirrorRelay relay({{*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(mirror_port)}},
                    MirrorRelay::Wire::http);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  const auto size = to_socket_address(*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(inner_port), address);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  relay.take(inner.get(), 0);
  // The mirror reads nothing: what the client sends fills every buffer on the way.
  const std::string block(64u << 10, 'x');
  std::vector<pollfd> polls;
  const auto step = [&](int milliseconds) {
    polls.clear();
    relay.prepare(polls);
    const int ready = ::poll(polls.data(), polls.size(), milliseconds);
    relay.handle(polls);
    return ready;
  };
  for (int idle = 0; idle < 3;) {
    const bool sent = ::send(client.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    idle = step(50) == 0 && !sent ? idle + 1 : 0;
  }
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  client.reset();
  EXPECT_EQ(step(200), 0) << "what is asked nothing wakes nobody";
}

TEST(HttpCounter, CountsAnswersOfAKeptConnectionWhateverThePieces) {
  const auto asked =
      "GET /a HTTP/1.1\r\nHost: m\r\n\r\nHEAD /b HTTP/1.1\r\nHost: m\r\n\r\n"
      "POST /c HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\n\r\nxyzGET /d HTTP/1.1\r\nHost: m\r\n\r\n"s;
  const auto answered =
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n"
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;x=y\r\n\r\n\r\n\r\n0\r\nTrailer: t\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"s;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{1000}}) {
    Counted counted;
    for (std::size_t at = 0; at < asked.size(); at += piece) counted.counter.client_sent(asked.substr(at, piece));
    for (std::size_t at = 0; at < answered.size(); at += piece) counted.counter.server_sent(answered.substr(at, piece));
    EXPECT_TRUE(counted.counter.understood()) << piece;
    EXPECT_THAT(counted.answers, ElementsAre(Pair("/a", 200), Pair("/b", 404), Pair("/c", 200), Pair("/d", 304)))
        << piece;
  }
}

TEST(HttpCounter, GivesUpOnWhatItDoesNotUnderstandAndCountsNoMore) {
  for (const auto& [asked, answered] : std::vector<std::pair<std::string, std::string>>{
           {"\x16\x03\x01 TLS\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
           {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n\r\n"},
           {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
           {"", "HTTP/1.1 200 OK\r\n\r\n"},
           {std::string(70'000, 'x'), "HTTP/1.1 200 OK\r\n\r\n"}}) {
    Counted counted;
    counted.counter.client_sent(asked);
    counted.counter.server_sent(answered);
    EXPECT_FALSE(counted.counter.understood());
    EXPECT_TRUE(counted.answers.empty());
  }
  Counted lying;
  lying.counter.client_sent("GET /a HTTP/1.1\r\n\r\n");
  lying.counter.server_sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nHTTP/1.1 200 OK\r\n\r\n");
  EXPECT_FALSE(lying.counter.understood());
  EXPECT_EQ(lying.answers.size(), 1u);
}

std::string query(std::string_view name, char type, std::string_view flags = std::string_view("\x01\x00", 2)) {
  return "\x12\x34"s + std::string(flags) + "\0\1\0\0\0\0\0\0"s + std::string(name) + "\0"s + type + "\0\1"s;
}

TEST(Dns, AnswersWithTheAddressesOfTheAskedType) {
  const auto asked = query("\6Mirror\7example\0"s, '\1');
  const auto question = parse_dns_query(asked);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->name, "mirror.example");
  EXPECT_EQ(question->type, k_dns_a);
  const std::vector<IpAddress> addresses = {*IpAddress::parse("10.1.2.3"), *IpAddress::parse("fd00::1")};
  const auto answer = make_dns_answer(asked, *question, &addresses);
  EXPECT_EQ(answer.substr(0, 12), "\x12\x34\x81\x80\0\1\0\1\0\0\0\0"s);
  EXPECT_TRUE(answer.ends_with("\0\4\x0a\1\2\3"s));
  const auto none = make_dns_answer(asked, *question, nullptr);
  EXPECT_EQ(none.substr(2, 6), "\x81\x83\0\1\0\0"s);
  EXPECT_EQ(none.substr(12), asked.substr(12));
}

TEST(Dns, OnlyReverseNamesOfTheLoopbackAreItsOwn) {
  std::string v6 = "1.";
  for (int i = 0; i < 31; ++i) v6 += "0.";
  EXPECT_TRUE(is_own_reverse("1.0.0.127.in-addr.arpa") && is_own_reverse(v6 + "ip6.arpa"));
  EXPECT_FALSE(is_own_reverse("1.0.0.10.in-addr.arpa") || is_own_reverse("evil127.in-addr.arpa"));
  EXPECT_FALSE(is_own_reverse("1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"));
}

TEST(Dns, OwnNamesStandBelowTheSearchDomains) {
  const auto names = own_names("search corp.example\tLab.Example\n# search no\ndomain x\n");
  ASSERT_GE(names.size(), 4u);
  EXPECT_EQ(names[1], names[0] + ".corp.example");
  EXPECT_EQ(names[2], names[0] + ".lab.example");
  EXPECT_EQ(names.size(), 4u);
}

TEST(Dns, WhatIsNoQueryGetsNoAnswer) {
  EXPECT_FALSE(parse_dns_query(""));
  EXPECT_FALSE(parse_dns_query("\x12\x34\x01"));
  EXPECT_FALSE(parse_dns_query(query("\1a\0"s, '\1', "\x81\x00"s)));  // an answer
  EXPECT_FALSE(parse_dns_query(query("\1a\0"s, '\1', "\x28\x00"s)));  // an update
  EXPECT_FALSE(parse_dns_query(query("\xc0\x0c"s, '\1')));            // points at itself
  EXPECT_FALSE(
      parse_dns_query(query("\x3f"
                            "short"s,
                            '\1')));  // lies about its length
  std::string endless;
  for (int i = 0; i < 300; ++i) endless += "\1a";
  EXPECT_FALSE(parse_dns_query(query(endless + "\0"s, '\1')));
  EXPECT_EQ(parse_dns_query(query("\3a\n\"\0"s, '\1'))->name, "a\\010\\034");
}

std::vector<std::uint8_t> bytes_of(const sockaddr_storage& address, socklen_t size) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&address);
  return {begin, begin + size};
}

TEST(SocketAddress, IsReadBackAndBounded) {
  sockaddr_storage storage{};
  for (const auto* text : {"203.0.113.7", "2001:db8::1", "127.0.0.1", "::1"}) {
    const auto size = to_socket_address(*IpAddress::parse(text), 443, storage);
    const auto bytes = bytes_of(storage, size);
    const auto given = parse_socket_address(bytes);
    ASSERT_TRUE(given && given->ip) << text;
    EXPECT_EQ(given->ip->text(), text);
    EXPECT_EQ(given->port, 443);
    for (std::size_t cut = 0; cut + 5 < bytes.size(); ++cut) (void)parse_socket_address({bytes.data(), cut});
  }
  EXPECT_FALSE(parse_socket_address({}));
  const std::uint8_t short_v4[] = {AF_INET, 0, 0, 53};
  EXPECT_FALSE(parse_socket_address(short_v4));
  const std::uint8_t no_path[] = {AF_UNIX, 0};
  EXPECT_EQ(parse_socket_address(no_path)->path, "");
  const std::uint8_t unended[] = {AF_UNIX, 0, '/', 'a'};
  EXPECT_EQ(parse_socket_address(unended)->path, "/a");
  EXPECT_TRUE(stays_here(*IpAddress::parse("127.9.9.9")) && stays_here(*IpAddress::parse("0.0.0.0")));
  EXPECT_TRUE(stays_here(*IpAddress::parse("::1")) && stays_here(*IpAddress::parse("::")));
  EXPECT_TRUE(stays_here(*IpAddress::parse("::ffff:127.0.0.1")));
  EXPECT_FALSE(stays_here(*IpAddress::parse("::ffff:8.8.8.8")) || stays_here(*IpAddress::parse("0.0.0.1")));
  EXPECT_FALSE(stays_here(*IpAddress::parse("::2")) || stays_here(*IpAddress::parse("fe80::1")));
}

TEST(UnixDump, CutOrLyingMessagesEndIt) {
  std::vector<BoundSocket> out;
  EXPECT_FALSE(parse_unix_dump("", out));
  nlmsghdr header{.nlmsg_len = 4, .nlmsg_type = NLMSG_DONE};
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  EXPECT_TRUE(parse_unix_dump(text, out));  // shorter than itself
  header.nlmsg_len = 0xffffffff;
  text.assign(reinterpret_cast<const char*>(&header), sizeof header);
  EXPECT_TRUE(parse_unix_dump(text, out));
  EXPECT_TRUE(out.empty());
}

TEST(SocketTable, IsReadAsTheKernelWritesIt) {
  const auto tcp = parse_socket_table(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 "
      "0\n"
      "   1: 0200A8C0:D431 07710CB0:01BB 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n"
      "   2: nonsense 0:0 0A x x x x\n   3: 0100007F:1F90\n",
      "tcp");
  ASSERT_EQ(tcp.size(), 2u);
  EXPECT_EQ(tcp[0].local.text(), "127.0.0.1");
  EXPECT_EQ(tcp[0].local_port, 8080);
  EXPECT_EQ(tcp[0].state, SocketState::listening);
  EXPECT_EQ(tcp[0].inode, 4711u);
  EXPECT_EQ(tcp[1].remote.text(), "176.12.113.7");
  EXPECT_EQ(tcp[1].remote_port, 443);
  EXPECT_EQ(tcp[1].state, SocketState::established);
  const auto v6 = parse_socket_table(
      "   0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 "
      "00:00000000 "
      "00000000   0        0 9 2 0 0\n",
      "udp");
  ASSERT_EQ(v6.size(), 1u);
  EXPECT_EQ(v6[0].local.text(), "::1");
  EXPECT_EQ(v6[0].state, SocketState::unconnected);
}

TEST(Routes, TheDefaultRouteIsSeenAndDeadOnesAreNot) {
  const auto routes = parse_routes(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
      "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
      "eth1\t0000000A\t00000000\t0000\t0\t0\t0\t000000FF\t0\t0\t0\nx\n");
  ASSERT_EQ(routes.size(), 2u);
  EXPECT_TRUE(routes[0].is_default());
  EXPECT_EQ(routes[0].gateway, "192.0.2.1");
  EXPECT_EQ(routes[1].destination, "192.0.2.0/24");
  const auto routes6 = parse_routes6(
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 "
      "00000400 "
      "00000001 00000000 00000003     eth0\n"
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 "
      "ffffffff "
      "00000001 00000000 00200200       lo\n"
      "zz\n");
  ASSERT_EQ(routes6.size(), 1u);
  EXPECT_TRUE(routes6[0].is_default());
  EXPECT_EQ(routes6[0].gateway, "fe80::1");
}

TEST(Routes, LeadOutsideUnlessOneOfTheSitesNetworksHoldsThem) {
  std::vector<Network> own;
  for (const auto text : k_private_networks) own.push_back(*Network::parse(text));
  const auto outside = [&](const std::string& destination) { return leads_outside({destination, "", "eth0"}, own); };
  for (const auto* route : {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7", "203.0.113.0/24", "172.0.0.0/11",
                            "192.168.0.0/15", "::/0", "2000::/3", "8000::/1", "2001:db8::1/128", "fc00::/6", "odd"}) {
    EXPECT_TRUE(outside(route)) << route;
  }
  for (const auto* route : {"10.0.0.0/8", "10.1.2.0/24", "172.16.0.0/12", "192.168.7.1/32", "fd00::/8", "127.0.0.0/8",
                            "224.0.0.0/4", "239.1.0.0/16", "ff00::/8"}) {
    EXPECT_FALSE(outside(route)) << route;
  }
  EXPECT_TRUE(parse_routes("x\neth0\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n").empty())
      << "one that rejects leads nowhere";
}

TEST(Resolvers, AreTheNameserverLines) {
  EXPECT_THAT(parse_resolvers("# c\nnameserver 10.0.0.1\nsearch a\n nameserver\tfd00::1\nnameserver\n"),
              ElementsAre("10.0.0.1", "fd00::1"));
}

TEST(RunHistory, TheFirstRunStaysTheLastIsReplaced) {
  const TemporaryFolder folder;
  const auto file = history_file(folder.path() / "builds", {"make", "build"}, "/src");
  EXPECT_NE(file, history_file(folder.path() / "builds", {"make build"}, "/src"));
  EXPECT_FALSE(read_history(file).first);
  RunRecord run{
      .started = parse_time("2026-11-23T06:00:00Z"), .seconds = 300.5, .status = 0, .hits = 40, .received = 1u << 30};
  add_to_history(file, {}, run, {"make", "build"}, "/src");
  run.seconds = 12.25;
  add_to_history(file, read_history(file), run, {"make", "build"}, "/src");
  const auto history = read_history(file);
  ASSERT_TRUE(history.first && history.last);
  EXPECT_DOUBLE_EQ(history.first->seconds, 300.5);
  EXPECT_DOUBLE_EQ(history.last->seconds, 12.25);
  EXPECT_EQ(history.last->received, 1u << 30);
  for (const auto* text :
       {"", "{}", "[]", R"({"format":"liftlock-offline-runs/1"})", R"({"format":"other/1","first":{},"last":{}})"}) {
    EXPECT_FALSE(parse_history(text).first) << text;
  }
}

TEST(MirrorLists, NamesOfTheMirrorAreTaken) {
  EXPECT_THAT(parse_suites(R"({"suites": ["prod", "test-2.0_x"], "later": 1})"), ElementsAre("prod", "test-2.0_x"));
  EXPECT_TRUE(parse_suites(R"({"suites": []})").empty());
  const auto repositories =
      parse_rpm_repositories(R"({"repositories": [{"name": "prod", "keys": ["mirror-key.asc", "keys/a-1.asc"]}]})");
  ASSERT_EQ(repositories.size(), 1u);
  EXPECT_EQ(repositories[0].name, "prod");
  EXPECT_THAT(repositories[0].keys, ElementsAre("mirror-key.asc", "keys/a-1.asc"));
}

TEST(MirrorLists, ImagesAreNamedWithTheRegistryThatTheyCameFrom) {
  EXPECT_THAT(parse_catalog(R"({"repositories": ["team/app", "one.example/team/app"]})"),
              ElementsAre("team/app", "one.example/team/app"));
  EXPECT_EQ(registry_of("one.example/team/app"), "one.example");
  EXPECT_EQ(registry_of("one.example_5000/app"), "one.example:5000");
  EXPECT_EQ(registry_of("registry_5000/app"), "registry:5000");
  for (const auto* name : {"app", "team/app", "one.example", "a_b/app", "a_b.c/app", "_5000/app", "/app", "-x.y/app",
                           "localhost_5000/app", "127.0.0.1_5000/app"}) {
    EXPECT_EQ(registry_of(name), std::nullopt) << name;
  }
  for (const auto* name : {"", "A", "a b", "a\\nb", "a\\\"", "a]"}) {
    EXPECT_THROW(parse_catalog(std::string("{\"repositories\": [\"") + name + "\"]}"), Error) << name;
  }
}

TEST(MirrorLists, NamesThatWouldBeMoreThanNamesInAFileOfSettingsAreNot) {
  for (const auto& name : std::vector<std::string>{"", " ", "a b", "a\\nb", "a]", "-x", ".", "..", "a/b", "a\\u0000",
                                                   "a\\\"", "[trusted=yes]", std::string(201, 'a')}) {
    EXPECT_THROW(parse_suites("{\"suites\": [\"" + name + "\"]}"), Error) << name;
    EXPECT_THROW(parse_rpm_repositories("{\"repositories\": [{\"keys\": [], \"name\": \"" + name + "\"}]}"), Error);
    if (name != "a/b") {
      EXPECT_THROW(parse_rpm_repositories("{\"repositories\": [{\"name\": \"x\", \"keys\": [\"" + name + "\"]}]}"),
                   Error)
          << name;
    }
  }
  for (const auto* text :
       {"", "<html>", "[]", "{}", R"({"suites": 1})", R"({"suites": [1]})", R"({"suites": {"a": 1}})",
        R"({"repositories": [1]})", R"({"repositories": [{"name": "x"}]})"}) {
    EXPECT_THROW(parse_suites(text), Error) << text;
    EXPECT_THROW(parse_rpm_repositories(text), Error) << text;
  }
  std::string many = "{\"suites\": [\"a\"";
  for (int i = 0; i < 1000; ++i) many += ",\"a\"";
  EXPECT_THROW(parse_suites(many + "]}"), Error);
}

}  // namespace
}  // namespace liftlock::offline
