#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "syslog/syslog_message.hpp"
#include "syslog/syslog_shipper.hpp"

namespace liftlock {
namespace {

AuditEntry entry(std::string subject = "plant/7", std::string detail = "{}", Outcome outcome = Outcome::success) {
  return {.index = 41,
          .time = parse_time("2026-11-28T06:00:00Z"),
          .event = {.type = "bundle.ingest",
                    .actor = "maria(1000)",
                    .outcome = outcome,
                    .subject = std::move(subject),
                    .detail = std::move(detail)}};
}

TEST(SyslogMessage, HasTheFieldsOfRfc5424) {
  const std::string entry_json =
      R"x({"actor":"maria(1000)","detail":{},"index":41,"log":"liftlock/h/1","outcome":"success",)x"
      R"("subject":"plant/7","time":"2026-11-28T06:00:00Z","type":"bundle.ingest","v":1})";
  EXPECT_EQ(syslog_message(entry(), "liftlock/h/1", "ingest1"),
            "<110>1 2026-11-28T06:00:00Z ingest1 liftlock - bundle.ingest - " + entry_json);
  EXPECT_TRUE(syslog_message(entry("x", "{}", Outcome::failure), "l", "h").starts_with("<108>1 "));
  EXPECT_EQ(syslog_frame("abc"), "3 abc");
}

TEST(SyslogMessage, IsAsciiWithoutControlBytesWhateverAnEntrySays) {
  const auto text = syslog_message(entry("\xC3\xA4\n\x01 \xE2\x82\xAC", R"({"a":"\n"})"), "l", "a b\n");
  for (const char c : text) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << text;
  EXPECT_NE(text.find(" a?b? liftlock "), std::string::npos) << text;
}

TEST(SyslogMessage, ALongEntryIsShortened) {
  const auto long_detail = syslog_message(entry("s", R"({"a":")" + std::string(50'000, 'x') + R"("})"), "l", "h");
  EXPECT_LE(long_detail.size(), k_max_syslog_message);
  EXPECT_NE(long_detail.find(R"("detail":{"shortened":true})"), std::string::npos);
  EXPECT_NE(long_detail.find(R"("subject":"s")"), std::string::npos);
  std::string wide;
  for (int i = 0; i < 2000; ++i) wide += "\xC3\xA4";
  const auto long_subject = syslog_message(entry(wide), "l", "h");
  EXPECT_LE(long_subject.size(), k_max_syslog_message);
  EXPECT_NE(long_subject.find(R"("index":41)"), std::string::npos);
}

TEST(SyslogAddress, IsOneOfTwoForms) {
  const auto tls = SyslogAddress::parse("tls://siem.plant4.example");
  ASSERT_TRUE(tls);
  EXPECT_EQ(tls->host, "siem.plant4.example");
  EXPECT_EQ(tls->port, 6514);
  EXPECT_EQ(SyslogAddress::parse("tls://10.0.0.9:514")->port, 514);
  EXPECT_EQ(SyslogAddress::parse("tls://[fd00::5]")->host, "fd00::5");
  EXPECT_EQ(SyslogAddress::parse("tls://[fd00::5]:99")->port, 99);
  EXPECT_EQ(SyslogAddress::parse("unix:///dev/log")->socket, "/dev/log");
  for (const auto* bad :
       {"", "tls://", "udp://10.0.0.9", "tls://a/b", "tls://a:x", "unix://log", "10.0.0.9", "tls://u@a"})
    EXPECT_FALSE(SyslogAddress::parse(bad)) << bad;
}

/// A collector on a datagram socket.
class Collector {
 public:
  explicit Collector(const fs::path& path) : m_socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(::bind(m_socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  std::vector<std::uint64_t> indexes() const {
    std::vector<std::uint64_t> out;
    char buffer[16384];
    for (ssize_t got; (got = ::recv(m_socket.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
      const std::string text(buffer, static_cast<std::size_t>(got));
      out.push_back(parse_json(text.substr(text.find('{'))).at("index"));
    }
    return out;
  }

 private:
  UniqueFd m_socket;
};

TEST(SyslogShipper, SendsEachEntryAndRemembersHowFar) {
  const TemporaryFolder folder;
  const auto audit = folder.path() / "audit", state = folder.path() / "syslog";
  const auto append = [&](int count) {
    AuditLog log(audit, "");
    for (int i = 0; i < count; ++i) log.append(entry().event);
  };
  append(3);
  SyslogTarget target;
  target.address.socket = folder.path() / "log";
  EXPECT_EQ(code_of([&] { ship_audit(state, audit, target); }), ErrorCode::network);
  const Collector collector(target.address.socket);
  EXPECT_EQ(ship_audit(state, audit, target), 3u);
  EXPECT_EQ(collector.indexes(), (std::vector<std::uint64_t>{0, 1, 2}));
  EXPECT_EQ(ship_audit(state, audit, target), 0u);
  append(2);
  EXPECT_EQ(syslog_standing(state, AuditLog::open_to_read(audit)).sent, 3u);
  EXPECT_TRUE(syslog_standing(state, AuditLog::open_to_read(audit)).oldest);
  EXPECT_EQ(ship_audit(state, audit, target), 2u);
  EXPECT_EQ(collector.indexes(), (std::vector<std::uint64_t>{3, 4}));
  EXPECT_EQ(ship_audit(state, audit, target, 4), 1u);
  EXPECT_FALSE(syslog_standing(state, AuditLog::open_to_read(audit)).oldest);
  // Another log begins at its beginning; the same one that became shorter is told.
  write_file_atomically(state / "position", "liftlock/other/1 77\n");
  EXPECT_EQ(ship_audit(state, audit, target), 5u);
  const auto origin = std::string(split(std::string_view(AuditLog::open_to_read(audit).checkpoint()), '\n').at(0));
  write_file_atomically(state / "position", origin + " 77\n");
  EXPECT_EQ(code_of([&] { ship_audit(state, audit, target); }), ErrorCode::log_rolled_back);
  const FileLock lock(state / "lock", "a test", FileLock::Wait::no);
  EXPECT_EQ(code_of([&] { ship_audit(state, audit, target); }), ErrorCode::busy);
}

}  // namespace
}  // namespace liftlock
