#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <set>
#include <thread>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "os/process.hpp"
#include "server/index_page.hpp"
#include "server/metrics.hpp"
#include "server/mirror_key.hpp"
#include "server/mirror_server.hpp"
#include "server/read_audit.hpp"
#include "server/read_tokens.hpp"
#include "server/sd_notify.hpp"

namespace liftlock {
namespace {

TEST(ReadTokens, AreFoundInBearerAndBasic) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "tokens";
  write_file_atomically(file, "# readers\nci " + sha256("s3cret").hex() + "\nplant " + sha256("o:ther").hex() + "\n");
  const auto tokens = ReadTokens::load(file);
  EXPECT_EQ(tokens.user("Bearer s3cret"), "ci");
  EXPECT_EQ(tokens.user("bearer s3cret"), "ci");
  EXPECT_EQ(tokens.user("Basic " + encode_base64(as_bytes("anyone:o:ther"))), "plant");
  for (const auto* wrong : {"", "Bearer", "Bearer ", "Bearer S3cret", "Basic s3cret", "Basic !!!!", "Digest s3cret"}) {
    EXPECT_EQ(tokens.user(wrong), std::nullopt) << wrong;
  }
}

TEST(ReadTokens, RefusesAFileThatIsWrong) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "tokens";
  const auto hex = sha256("x").hex();
  for (const std::string& text :
       {std::string("ci\n"), std::string("ci abc\n"), std::string("# nobody\n"), "ci " + hex + "\nci " + hex + "\n"}) {
    write_file_atomically(file, text);
    EXPECT_THROW(ReadTokens::load(file), Error) << text;
  }
}

TEST(ReadAudit, GroupsEqualReadsIntoOneEvent) {
  const TemporaryFolder folder;
  AuditLog log(folder.path() / "audit", "test");
  {
    ReadAudit reads(log);
    for (int i = 0; i < 1000; ++i) reads.record("ci", "127.0.0.1", "sha256:aa", "/files/x");
    reads.record("", "127.0.0.1", "sha256:bb", "/files/y");
  }
  std::uint64_t total = 0, events = 0;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.type != "mirror.read") return true;
    ++events;
    const auto at = entry.event.detail.find("\"count\":") + 8;
    total += std::strtoull(entry.event.detail.c_str() + at, nullptr, 10);
    return true;
  });
  EXPECT_EQ(total, 1001u);
  EXPECT_LE(events, 6u);
}

// Two packages may hold one file: which of them was read is what an auditor asks.
TEST(ReadAudit, KeepsByWhichPathsTheSameBytesWereRead) {
  const TemporaryFolder folder;
  AuditLog log(folder.path() / "audit", "test");
  {
    ReadAudit reads(log);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 10; ++i) reads.record("ci", "127.0.0.1", "sha256:aa", fmt::format("/files/{}", i));
    }
    reads.record("ci", "127.0.0.1", "sha256:bb", "/files/y");
  }
  std::uint64_t told = 0;
  std::set<std::string> paths;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto detail = parse_json(entry.event.detail);
    if (entry.event.subject == "sha256:bb") {
      EXPECT_FALSE(detail.contains("paths"));
      return true;
    }
    const auto named = detail.value("paths", Json::array({detail.at("path")}));
    EXPECT_LE(named.size(), ReadAudit::k_max_paths);
    for (const auto& path : named) paths.insert(path.get<std::string>());
    told += detail.at("count").get<std::uint64_t>();
    if (detail.at("count") == 20) {
      EXPECT_EQ(detail.at("by_other_paths"), 4);
    }
    return true;
  });
  EXPECT_EQ(told, 20u);
  EXPECT_GE(paths.size(), ReadAudit::k_max_paths);
}

TEST(ReadAudit, EveryPathFitsIntoAnEntry) {
  const TemporaryFolder folder;
  AuditLog log(folder.path() / "audit", "test");
  for (const char byte : {'\x80', '"', '\\'}) {
    ReadAudit reads(log);
    for (std::size_t i = 0; i < ReadAudit::k_max_paths; ++i)
      reads.record("ci", "127.0.0.1", "sha256:aa", fmt::format("/{}{}", i, std::string(5000, byte)));
  }
  std::uint64_t told = 0;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.type == "mirror.read") told += parse_json(entry.event.detail).at("count").get<std::uint64_t>();
    return true;
  });
  EXPECT_EQ(told, 3 * ReadAudit::k_max_paths);
}

TEST(MirrorKey, IsOneWhenSeveralStartAtOnceAfterOneWasKilled) {
  TemporaryFolder folder;
  const auto home = folder.path() / "gnupg";
  fs::create_directories(folder.path() / "gnupg.new");
  write_file_atomically(folder.path() / "gnupg.new/pubring.kbx", std::string(100, '\0'));
  std::vector<std::string> fingerprints(4);
  std::vector<std::thread> threads;
  for (auto& fingerprint : fingerprints) {
    threads.emplace_back([&fingerprint, &home] { fingerprint = MirrorKey(home, "Plant").fingerprint(); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(fingerprints.begin(), fingerprints.end()).size(), 1u);
  EXPECT_EQ(fingerprints[0].size(), 40u);
}

TEST(MirrorKey, IsMadeOnceAndSignsSoThatGpgvAgrees) {
  const TemporaryFolder folder;
  // Longer than a socket path may be: gpg-agent must work all the same.
  const auto home = folder.path() / std::string(120, 'd') / "mirror-gnupg";
  std::string fingerprint;
  {
    const MirrorKey key(home, "Plant <4>");
    fingerprint = key.fingerprint();
  }
  const MirrorKey key(home, "Plant <4>");
  EXPECT_EQ(key.fingerprint(), fingerprint);
  write_file_atomically(folder.path() / "key.gpg", key.public_key());
  write_file_atomically(folder.path() / "InRelease", key.clearsign("Suite: x\n- dashes\n"));
  EXPECT_TRUE(key.public_key_armored().starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
  ProcessSpec spec;
  spec.argv = {"gpgv", "--keyring", folder.path() / "key.gpg", folder.path() / "InRelease"};
  EXPECT_EQ(run_process(spec).status, 0);
}

TEST(SdNotify, ReachesTheSocketThatSystemdNames) {
  const TemporaryFolder folder;
  const auto path = (folder.path() / "n").string();
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  sd_notify("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  char buffer[32] = {};
  EXPECT_EQ(::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT), 7);
  EXPECT_STREQ(buffer, "READY=1");
}

TEST(Listen, IsAnAddressAndAPort) {
  EXPECT_EQ(parse_listen("127.0.0.1:8480"), (std::pair<std::string, std::uint16_t>("127.0.0.1", 8480)));
  EXPECT_EQ(parse_listen("[::1]:0"), (std::pair<std::string, std::uint16_t>("::1", 0)));
  for (const auto* text : {"", "8480", "mirror:80", "1.2.3.4", "1.2.3.4:99999", "[::1]"})
    EXPECT_THROW(parse_listen(text), Error) << text;
  EXPECT_TRUE(is_loopback("127.3.2.1"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
}

TEST(IndexPage, EscapesWhatOthersWrote) {
  MirrorState state;
  state.view = std::make_shared<MirrorView>();
  const auto page = index_page(state, "<script>", "http://h\"><b>");
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_EQ(page.find("\"><b>"), std::string::npos);
}

}  // namespace
}  // namespace liftlock
