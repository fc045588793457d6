#include "server/access_log.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

using namespace std::chrono_literals;

HttpExchange exchange_of(const HttpNote& note, std::string_view path = "/v1/models") {
  HttpExchange exchange;
  exchange.status = 200;
  exchange.bytes_sent = 12;
  exchange.method = "GET";
  exchange.path = path;
  exchange.peer = "10.0.0.7";
  exchange.id = "req-1";
  exchange.note = &note;
  exchange.first = 1500us;
  exchange.total = 2250us;
  return exchange;
}

std::vector<Json> lines_of(const fs::path& file) {
  std::vector<Json> lines;
  const auto text = read_file(file, 1u << 20);
  for (const auto line : split(text, '\n')) {
    if (!line.empty()) lines.push_back(parse_json(line));
  }
  return lines;
}

TEST(AccessLineTest, SaysWhoWhatAndHowLong) {
  const HttpNote note{"ada", "key_01", "demo", "rec_1"};
  EXPECT_EQ(access_line(exchange_of(note), std::chrono::system_clock::time_point(1500ms)),
            R"({"bytes":12,"first_ms":1.5,"key":"key_01","method":"GET","model":"demo","path":"/v1/models",)"
            R"("peer":"10.0.0.7","record":"rec_1","request":"req-1","status":200,"time":"1970-01-01T00:00:01.500Z",)"
            R"("total_ms":2.25,"user":"ada"})");
}

TEST(AccessLineTest, StaysOneLineOfJsonWhateverTheClientSent) {
  const HttpNote note{"a\nb\x1b[2J", "", "\xff\"", ""};
  const auto line = access_line(exchange_of(note, "/x\n{\"status\":200}\x07" + std::string(5000, 'a')), {});
  EXPECT_EQ(line.find_first_of("\n\x1b\x07"), std::string::npos);
  EXPECT_LT(line.size(), 2000u);
  const auto json = parse_json(line);
  EXPECT_EQ(json["user"], "a\\x0ab\\x1b[2J");
  EXPECT_EQ(json["model"], "\\xff\"");
}

class AccessLogTest : public ::testing::Test {
 protected:
  fs::path file() const { return m_folder.path() / "logs/access.jsonl"; }
  static bool soon(const std::function<bool()>& is_so) {
    for (int i = 0; i < 6000; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  TemporaryFolder m_folder;
  HttpNote m_note;
};

TEST_F(AccessLogTest, WritesWhatWaitsWhenItEnds) {
  {
    AccessLog log({.file = file()});
    for (int i = 0; i < 100; ++i) log.write(exchange_of(m_note));
  }
  EXPECT_EQ(lines_of(file()).size(), 100u);
  EXPECT_EQ(fs::status(file()).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(AccessLogTest, BeginsAnewAtItsSizeAndKeepsFourOldFiles) {
  {
    AccessLog log({.file = file(), .max_bytes = 300});
    for (std::uint64_t i = 1; i <= 12; ++i) {
      log.write(exchange_of(m_note));
      ASSERT_TRUE(soon([&] { return log.lines() == i; }));
    }
  }
  for (const auto* old : {"", ".1", ".2", ".3", ".4"}) {
    EXPECT_LE(fs::file_size(file().string() + old), 300u) << old;
  }
  EXPECT_FALSE(fs::exists(file().string() + ".5"));
}

TEST_F(AccessLogTest, GoesOnInANewFileWhenTheOldOneWasMovedAway) {
  AccessLog log({.file = file()});
  log.write(exchange_of(m_note));
  ASSERT_TRUE(soon([&] { return log.lines() == 1; }));
  fs::rename(file(), m_folder.path() / "moved");
  log.write(exchange_of(m_note));
  ASSERT_TRUE(soon([&] { return log.lines() == 2; }));
  EXPECT_EQ(lines_of(file()).size(), 1u);
  EXPECT_EQ(lines_of(m_folder.path() / "moved").size(), 1u);
}

TEST_F(AccessLogTest, CountsWhatTheDiskDoesNotTakeAndGoesOn) {
  AccessLog log({.file = file()});
  log.write(exchange_of(m_note));
  ASSERT_TRUE(soon([&] { return log.lines() == 1; }));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{fs::file_size(file()) + 20, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &little);
  log.write(exchange_of(m_note));
  EXPECT_TRUE(soon([&] { return log.dropped() == 1; }));
  ::setrlimit(RLIMIT_FSIZE, &before);
  log.write(exchange_of(m_note));
  EXPECT_TRUE(soon([&] { return log.lines() == 2; }));
  const auto text = read_file(file(), 1u << 20);
  const auto lines = split(text, '\n');
  ASSERT_EQ(lines.size(), 4u) << text;  // whole, half, whole, nothing
  EXPECT_EQ(parse_json(lines[2])["status"], 200);
}

TEST_F(AccessLogTest, FollowsNoLink) {
  fs::create_directories(file().parent_path());
  fs::create_symlink(m_folder.path() / "elsewhere", file());
  AccessLog log({.file = file()});
  log.write(exchange_of(m_note));
  EXPECT_TRUE(soon([&] { return log.dropped() == 1; }));
  EXPECT_FALSE(fs::exists(m_folder.path() / "elsewhere"));
}

}  // namespace
}  // namespace liftlock
