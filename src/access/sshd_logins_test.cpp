#include "access/sshd_logins.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace liftlock {
namespace {

/// "accepted METHOD USER PEER", "failed METHOD ?USER PEER" of an account that there is not, "… unclear PEER"; empty: no
/// login.
std::string read(std::string_view message) {
  const auto login = parse_sshd_message(message);
  if (!login) return {};
  const auto* what = login->accepted ? "accepted" : "failed";
  if (!login->unclear.empty()) return fmt::format("{} unclear {}", what, login->peer);
  return fmt::format("{} {} {}{} {}", what, login->method, login->is_known_user ? "" : "?", login->user, login->peer);
}

Json entry(const std::string& message) {
  return {{"__CURSOR", "s=6a1;i=2b;b=9f;m=1;t=64f0;x=7"},
          {"__REALTIME_TIMESTAMP", "1795413600123456"},
          {"MESSAGE", message},
          {"SYSLOG_IDENTIFIER", "sshd"},
          {"_UID", "0"}};
}

const std::string k_failed = "Failed password for root from 10.0.0.9 port 40000 ssh2";

TEST(SshdLogins, WhatSshdSaysOfALoginIsRead) {
  EXPECT_EQ(read("Accepted password for maria from 10.0.0.7 port 50022 ssh2"), "accepted password maria 10.0.0.7");
  EXPECT_EQ(read("Accepted publickey for maria from 2001:db8::7 port 50022 ssh2: ED25519 SHA256:abc"),
            "accepted publickey maria 2001:db8::7");
  EXPECT_EQ(read("Failed keyboard-interactive/pam for root from 10.0.0.9 port 40000 ssh2"),
            "failed keyboard-interactive/pam root 10.0.0.9");
  EXPECT_EQ(read("Failed password for invalid user admin from fe80::1%eth0 port 40000 ssh2"),
            "failed password ?admin fe80::1%eth0");
  EXPECT_EQ(read("Failed password for root from UNKNOWN port 65535 ssh2"), "failed password root UNKNOWN");
}

TEST(SshdLogins, WhatTellsOfNoLoginIsNone) {
  for (const auto* message :
       {"", "Failed ", "Accepted ", "Connection closed by 10.0.0.9 port 40000 [preauth]",
        "Invalid user admin from 10.0.0.9 port 40000", "Partial publickey for maria from 10.0.0.7 port 50022 ssh2",
        "Failed password for root from 10.0.0.9 port x ssh2", "Failed password for root from host port 1 ssh2",
        "Failed password for root from 10.0.0.9 port 40000 ssh1", "failed password for root from 10.0.0.9 port 1 ssh2"})
    EXPECT_EQ(read(message), "") << message;
}

TEST(SshdLogins, ANameDoesNotBringAnAddressOfItsOwn) {
  EXPECT_EQ(read("Failed password for invalid user x from 10.0.0.1 port 1 ssh2 from 10.0.0.9 port 40000 ssh2"),
            "failed password ?x from 10.0.0.1 port 1 ssh2 10.0.0.9");
  EXPECT_EQ(read("Failed password for invalid user x from 10.0.0.1 port 1 ssh2: y from 10.0.0.9 port 40000 ssh2"),
            "failed unclear ");
  EXPECT_EQ(read("Failed publickey for root from 10.0.0.9 port 4 ssh2: RSA-CERT ID x from 10.0.0.1 port 1 ssh2"),
            "failed unclear ");
  EXPECT_EQ(read("Failed PASS WORD for root from 10.0.0.9 port 40000 ssh2"), "failed unclear 10.0.0.9");
  EXPECT_EQ(read("Failed password for " + std::string(1000, 'a') + " from 10.0.0.9 port 40000 ssh2"),
            "failed unclear 10.0.0.9");
  EXPECT_LT(parse_sshd_message("Failed password for " + std::string(60'000, 'a') + " from 10.0.0.9 port 1 ssh2")
                ->unclear.size(),
            1000u);
  EXPECT_EQ(read("Failed password for a\x1b[2J\nb from 10.0.0.9 port 40000 ssh2"),
            "failed password a\\x1b[2J\\x0ab 10.0.0.9");
}

TEST(SshdLogins, AnEntryOfTheJournalHasItsPlaceAndItsTime) {
  const auto line = parse_journal_line(dump_json_line(entry(k_failed)));
  ASSERT_TRUE(line);
  EXPECT_EQ(line->cursor, "s=6a1;i=2b;b=9f;m=1;t=64f0;x=7");
  EXPECT_EQ(line->microseconds, 1'795'413'600'123'456u);
  ASSERT_TRUE(line->login);
  EXPECT_EQ(line->login->user, "root");
}

TEST(SshdLogins, OnlyRootsSshdIsBelieved) {
  const auto login_with = [](const char* member, const Json& value) {
    auto changed = entry(k_failed);
    changed[member] = value;
    const auto line = parse_journal_line(dump_json_line(changed));
    return line && line->login;
  };
  EXPECT_TRUE(login_with("SYSLOG_IDENTIFIER", "sshd-session"));
  EXPECT_FALSE(login_with("SYSLOG_IDENTIFIER", "logger"));
  EXPECT_FALSE(login_with("_UID", "1000")) << "`logger -t sshd`";
  EXPECT_FALSE(login_with("_UID", nullptr));
}

TEST(SshdLogins, AMessageThatIsNoTextIsReadOfItsBytesOrCounted) {
  const auto line_with = [](const Json& message) {
    auto changed = entry({});
    changed["MESSAGE"] = message;
    return parse_journal_line(dump_json_line(changed)).value();
  };
  auto bytes = Json::array();
  for (const unsigned char byte : std::string("Failed password for m\xfcller from 10.0.0.9 port 40000 ssh2"))
    bytes.push_back(unsigned{byte});
  const auto line = line_with(bytes);
  ASSERT_TRUE(line.login) << "how journalctl writes what is no UTF-8";
  EXPECT_EQ(line.login->user, "m\\xfcller");
  EXPECT_EQ(line.login->peer, "10.0.0.9");
  EXPECT_FALSE(line.lacks_message);
  EXPECT_FALSE(line_with(Json::array({70, 97})).lacks_message);
  EXPECT_TRUE(line_with(nullptr).lacks_message) << "journalctl leaves out what is long";
  for (const auto& wrong : {Json(7), Json::object(), Json::array({70, 256}), Json::array({70, -1}), Json::array({"F"}),
                            Json::array({70.0})})
    EXPECT_TRUE(line_with(wrong).lacks_message) << wrong;
  auto of_another = entry(k_failed);
  of_another["MESSAGE"] = nullptr;
  of_another["_UID"] = "1000";
  EXPECT_FALSE(parse_journal_line(dump_json_line(of_another))->lacks_message);
}

TEST(SshdLogins, WhatIsNoEntryIsNone) {
  const auto good = dump_json_line(entry(k_failed));
  for (const auto& line : {std::string(), std::string("[]"), std::string("7"), good.substr(0, good.size() - 1),
                           good + "x", std::string(100, '['), std::string("-- No entries --")})
    EXPECT_FALSE(parse_journal_line(line)) << line;
  const auto is_entry_with = [](const char* member, const Json& value) {
    auto changed = entry(k_failed);
    changed[member] = value;
    return parse_journal_line(dump_json_line(changed)).has_value();
  };
  EXPECT_FALSE(is_entry_with("__CURSOR", nullptr));
  EXPECT_FALSE(is_entry_with("__CURSOR", ""));
  EXPECT_FALSE(is_entry_with("__CURSOR", "s=1 --file=/etc/shadow"));
  EXPECT_FALSE(is_entry_with("__CURSOR", std::string(300, 'a')));
  EXPECT_FALSE(is_entry_with("__REALTIME_TIMESTAMP", 5));
  EXPECT_FALSE(is_entry_with("__REALTIME_TIMESTAMP", "-5"));
  EXPECT_FALSE(is_entry_with("__REALTIME_TIMESTAMP", "18446744073709551615"));
  EXPECT_FALSE(is_entry_with("MORE", std::string(k_max_journal_line, 'a')));
}

}  // namespace
}  // namespace liftlock
