#include "access/gatekeeper.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "access/failure_table.hpp"
#include "base/code_of.hpp"
#include "db/database.hpp"

namespace liftlock {
namespace {

using namespace std::chrono_literals;

struct GatekeeperTest : testing::Test {
  TemporaryFolder folder;
  fs::path file = folder.path() / "access.db";
  // Moved by advance(); the Gatekeeper's own thread reads them too.
  std::atomic<std::chrono::steady_clock::time_point> steady{std::chrono::steady_clock::time_point(1000h)};
  std::atomic<Timestamp> wall{Timestamp(std::chrono::sys_days(std::chrono::year(2027) / 3 / 1)) + 12h};
  GateClock clock{.steady = [this] { return steady.load(); }, .wall = [this] { return wall.load(); }};

  void advance(std::chrono::seconds by) {
    steady = steady.load() + by;
    wall = wall.load() + by;
  }

  ApiKey ada(KeyLimits limits = {}) const {
    ApiKey key;
    key.id = KeyRing::new_id();
    key.user = "ada";
    key.limits = limits;
    key.created = wall;
    return key;
  }
  std::string add(const ApiKey& key) const { return KeyRing(file).add(key); }

  /// What refuses the request; nullopt: nothing.
  static std::optional<Error> refusal(Gatekeeper& gate, const Caller& caller) {
    try {
      gate.charge_request(caller);
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
};

TEST_F(GatekeeperTest, AdmitsBearerAndBareSecrets) {
  const auto secret = add(ada());
  Gatekeeper gate(file, clock);
  for (const auto* scheme : {"Bearer ", "bearer ", "", "BEARER  "}) {
    EXPECT_EQ(gate.admit(scheme + secret, "10.0.0.1").key.user, "ada") << scheme;
  }
  EXPECT_EQ(gate.failures(), 0u);
}

TEST_F(GatekeeperTest, RefusesWhatIsNoKeyInTheSameWords) {
  auto expired = ada(), revoked = ada();
  expired.expires = wall.load() + 60s;
  const auto expired_secret = add(expired), revoked_secret = add(revoked);
  KeyRing(file).revoke(revoked.id, wall, "lost");
  Gatekeeper gate(file, clock);
  EXPECT_EQ(gate.admit(expired_secret, "p").key.id, expired.id) << "not yet";
  advance(60s);
  std::vector<std::string> told;
  gate.tell_failures_to([&](const FailedLogin& one) { told.push_back(fmt::format("{}: {}", one.why, one.key_id)); });
  std::set<std::string> words;
  for (const auto& header : {std::string(), std::string("Bearer "), std::string("Basic ") + expired_secret,
                             "Bearer " + std::string(47, 'a'), "Bearer " + expired_secret, revoked_secret}) {
    try {
      gate.admit(header, "peer of " + header);
      ADD_FAILURE() << header;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unauthorized);
      words.insert(error.what());
    }
  }
  EXPECT_EQ(words.size(), 1u);
  EXPECT_THAT(told, testing::ElementsAre("no key: ", "unknown: ", "no key: ", "unknown: ", "expired: " + expired.id,
                                         "revoked: " + revoked.id));
  EXPECT_EQ(gate.failures(), 6u);
}

TEST_F(GatekeeperTest, AnUnreadableRowIsRefusedAndKeepsNoRevocationFromCounting) {
  const auto bad = ada(), stolen = ada();
  const auto bad_secret = add(bad), stolen_secret = add(stolen), good_secret = add(ada());
  Database(file).execute(fmt::format("UPDATE key SET models = 'garbage' WHERE id = '{}'", bad.id).c_str());
  Gatekeeper gate(file, clock);
  EXPECT_EQ(code_of([&] { gate.admit(bad_secret, "10.0.0.1"); }), ErrorCode::unauthorized);
  EXPECT_EQ(gate.admit(stolen_secret, "10.0.0.2").key.id, stolen.id);
  KeyRing(file).revoke(stolen.id, wall, "stolen");
  gate.refresh();
  EXPECT_EQ(code_of([&] { gate.admit(stolen_secret, "10.0.0.2"); }), ErrorCode::unauthorized);
  EXPECT_EQ(gate.admit(good_secret, "10.0.0.3").key.user, "ada");
}

TEST_F(GatekeeperTest, FailuresOfAPeerAreSlowedAndOthersAreNot) {
  const auto secret = add(ada());
  Gatekeeper gate(file, clock);
  std::atomic<int> told = 0;
  gate.tell_failures_to([&](const FailedLogin&) { ++told; });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(code_of([&] { gate.admit("Bearer guess", "10.0.0.1"); }), ErrorCode::unauthorized);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(code_of([&] { gate.admit("Bearer guess", "10.0.0.1"); }), ErrorCode::rate_limited);
  }
  EXPECT_EQ(told, 5) << "a flood of guesses is no flood of audit entries";
  EXPECT_EQ(gate.failures(), 105u);
  EXPECT_EQ(code_of([&] { gate.admit("Bearer guess", "10.0.0.2"); }), ErrorCode::unauthorized);
  EXPECT_EQ(gate.admit("Bearer " + secret, "10.0.0.1").key.user, "ada");
  advance(60s);
  EXPECT_EQ(code_of([&] { gate.admit("Bearer guess", "10.0.0.1"); }), ErrorCode::unauthorized);
  gate.tell_failures_to(nullptr);
}

TEST_F(GatekeeperTest, WhatWasSlowedIsToldByItsCountOnceTheMinuteIsOver) {
  Gatekeeper gate(file, clock);
  std::mutex mutex;
  std::vector<std::string> told;
  bool log_is_full = false;
  gate.tell_failures_to([&](const FailedLogin& one) {
    const std::lock_guard lock(mutex);
    if (one.why != "slowed") return;
    if (log_is_full) fail(ErrorCode::disk_full, "no room");
    told.push_back(fmt::format("{}: {}", one.peer, one.count));
  });
  const auto guess = [&](const std::string& peer, int times) {
    for (int i = 0; i < times; ++i) EXPECT_ANY_THROW(gate.admit("Bearer guess", peer));
  };
  const auto so_far = [&] {
    gate.refresh();
    const std::lock_guard lock(mutex);
    return std::exchange(told, {});
  };
  guess("10.0.0.1", 105);
  guess("10.0.0.2", 5);
  guess("2001:db8:1:2::7", 7);
  EXPECT_THAT(so_far(), testing::IsEmpty()) << "the minute is not over";
  advance(60s);
  guess("10.0.0.1", 6);  // begins another minute
  EXPECT_THAT(so_far(), testing::UnorderedElementsAre("10.0.0.1: 100", "2001:db8:1:2::: 2"));
  EXPECT_THAT(so_far(), testing::IsEmpty());
  {
    const std::lock_guard lock(mutex);
    log_is_full = true;
  }
  advance(60s);
  EXPECT_ANY_THROW(gate.refresh());
  {
    const std::lock_guard lock(mutex);
    log_is_full = false;
  }
  EXPECT_THAT(so_far(), testing::ElementsAre("10.0.0.1: 1")) << "it waits until it can be told";
  guess("10.0.0.3", 8);
  gate.tell_failures_to(nullptr);
  EXPECT_THAT(told, testing::ElementsAre("10.0.0.3: 3")) << "at the end nothing is left out";
}

TEST(FailureTable, WhatSharesOneCountIsToldAsOne) {
  FailureTable table(2);
  const FailureTable::Clock::time_point start(1h);
  for (int i = 0; i < 10; ++i) table.count(std::to_string(i), start);
  EXPECT_FALSE(table.next_slowed());
  table.end_minutes(start + 60s);
  const auto slowed = table.next_slowed();
  ASSERT_TRUE(slowed);
  EXPECT_EQ(slowed->peer, "");
  EXPECT_EQ(slowed->failures, 3u);
  EXPECT_FALSE(table.next_slowed());
}

TEST(FailureTable, ManyPeersShareOneCountOnceItIsFull) {
  FailureTable table(100);
  const FailureTable::Clock::time_point start(1h);
  int slowed = 0;
  for (int i = 0; i < 10'000; ++i) slowed += table.count(std::to_string(i), start).slowed ? 1 : 0;
  EXPECT_EQ(table.size(), 100u);
  EXPECT_EQ(slowed, 10'000 - 100 - 5);
  EXPECT_FALSE(table.count("new", start + 61s).slowed);
  EXPECT_EQ(table.size(), 1u);
}

TEST(FailureTable, TheAddressesOfAnIPv6NetworkAreOnePeer) {
  FailureTable table;
  const FailureTable::Clock::time_point start(1h);
  const auto fails = [&](const std::string& peer) { return table.count(peer, start).slowed; };
  for (int i = 1; i <= 5; ++i) EXPECT_FALSE(fails("2001:db8:1:2::" + std::to_string(i)));
  EXPECT_TRUE(fails("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(fails("2001:db8:1:3::1")) << "the network beside it";
  for (int i = 1; i <= 5; ++i) EXPECT_FALSE(fails("fe80::" + std::to_string(i) + "%eth0"));
  EXPECT_TRUE(fails("fe80::6%eth0"));
  EXPECT_EQ(table.size(), 3u);
  for (int i = 1; i <= 6; ++i) EXPECT_FALSE(fails("10.0.0." + std::to_string(i))) << "IPv4 addresses are told apart";
  for (int i = 2; i <= 5; ++i) EXPECT_FALSE(fails("::ffff:10.0.0.1"));
  EXPECT_TRUE(fails("10.0.0.1")) << "an address that is mapped into IPv6 is that address";
}

TEST_F(GatekeeperTest, AKeyIsToldOfOnceADayFromEachNetwork) {
  const auto key = ada();
  const auto secret = add(key);
  Gatekeeper gate(file, clock);
  const auto use_from = [&](const std::string& peer) { gate.admit("Bearer " + secret, peer); };
  std::mutex mutex;
  std::vector<std::string> told;
  bool log_is_full = false;
  use_from("10.0.0.1");  // before anybody listens
  gate.tell_logins_to([&](const std::vector<Login>& logins) {
    const std::lock_guard lock(mutex);
    if (log_is_full) fail(ErrorCode::disk_full, "no room");
    for (const auto& one : logins) told.push_back(fmt::format("{} {} {}", one.user, one.key_id == key.id, one.peer));
  });
  const auto so_far = [&] {
    gate.refresh();
    const std::lock_guard lock(mutex);
    return std::exchange(told, {});
  };
  const auto set_full = [&](bool full) {
    const std::lock_guard lock(mutex);
    log_is_full = full;
  };
  for (int i = 0; i < 100; ++i) use_from("10.0.0.1");
  use_from("2001:db8:1:2::7");
  use_from("2001:db8:1:2::8");
  EXPECT_THAT(so_far(), testing::ElementsAre("ada true 10.0.0.1", "ada true 2001:db8:1:2::7"));
  for (int i = 0; i < 100; ++i) EXPECT_ANY_THROW(gate.admit("Bearer guess", "10.0.0.9"));
  EXPECT_THAT(so_far(), testing::IsEmpty()) << "one that failed is no login";
  advance(12h);
  gate.refresh();
  set_full(true);
  use_from("10.0.0.1");
  EXPECT_ANY_THROW(gate.refresh());
  EXPECT_NO_THROW(use_from("10.0.0.2")) << "nobody waits for the log";
  set_full(false);
  EXPECT_THAT(so_far(), testing::ElementsAre("ada true 10.0.0.1", "ada true 10.0.0.2")) << "another day";
  use_from("10.0.0.3");
  gate.tell_logins_to(nullptr);
  EXPECT_THAT(told, testing::ElementsAre("ada true 10.0.0.3")) << "at the end nothing is left out";
}

TEST(LoginTable, AKeyWithManyAddressesIsNoFlood) {
  LoginTable table;
  ApiKey key;
  key.id = "key_0";
  for (int i = 0; i < 10'000; ++i) table.count(key, fmt::format("10.0.{}.{}", i / 256, i % 256), Day{});
  auto logins = table.take();
  ASSERT_EQ(logins.size(), LoginTable::k_networks + 1);
  EXPECT_EQ(logins.front().peer, "10.0.0.0");
  EXPECT_EQ(logins.back().peer, "") << "all the others are one";
  EXPECT_TRUE(table.take().empty());
  key.id = "key_1";
  table.count(key, "10.0.0.1", Day{});
  table.put_back(std::move(logins));
  EXPECT_EQ(table.take().back().key_id, "key_1");
}

TEST(LoginTable, ManyKeysAreTakenInParts) {
  LoginTable table;
  ApiKey key;
  for (std::size_t i = 0; i <= LoginTable::k_at_once; ++i) {
    key.id = std::to_string(i);
    table.count(key, "10.0.0.1", Day{});
  }
  EXPECT_EQ(table.take().size(), LoginTable::k_at_once);
  EXPECT_EQ(table.take().at(0).key_id, std::to_string(LoginTable::k_at_once));
}

TEST_F(GatekeeperTest, ModelsOfAKeyAreItsOnlyOnes) {
  auto key = ada();
  Gatekeeper gate(file, clock);
  EXPECT_NO_THROW(gate.require_model({key}, "anything"));
  key.models = {"demo", "qwen*"};
  EXPECT_NO_THROW(gate.require_model({key}, "demo"));
  EXPECT_NO_THROW(gate.require_model({key}, "qwen3-8b"));
  EXPECT_EQ(code_of([&] { gate.require_model({key}, "demo2"); }), ErrorCode::forbidden);
  EXPECT_EQ(code_of([&] { gate.require_model({key}, ""); }), ErrorCode::forbidden);
}

TEST_F(GatekeeperTest, RolesDecideWhatIsAllowed) {
  Gatekeeper gate(file, clock);
  auto key = ada();
  EXPECT_NO_THROW(gate.require_right({key}, Right::ask));
  EXPECT_EQ(code_of([&] { gate.require_right({key}, Right::load); }), ErrorCode::forbidden);
  key.role = UserRole::auditor;
  EXPECT_EQ(code_of([&] { gate.require_right({key}, Right::ask); }), ErrorCode::forbidden);
}

TEST_F(GatekeeperTest, RequestsPerMinuteRefillEvenly) {
  Gatekeeper gate(file, clock);
  const Caller caller{ada({.requests_per_minute = 6})};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(refusal(gate, caller), std::nullopt) << i;
  const auto refused = refusal(gate, caller);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), ErrorCode::rate_limited);
  EXPECT_EQ(refused->retry_after(), 10s);
  advance(9s);
  EXPECT_TRUE(refusal(gate, caller));
  advance(1s);
  EXPECT_FALSE(refusal(gate, caller));
  EXPECT_TRUE(refusal(gate, caller));
  advance(3600s);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(refusal(gate, caller)) << "no more than a minute is saved up";
  EXPECT_TRUE(refusal(gate, caller));
}

TEST_F(GatekeeperTest, TokensPerMinuteAreTakenAfterwards) {
  Gatekeeper gate(file, clock);
  const Caller caller{ada({.tokens_per_minute = 600})};
  EXPECT_FALSE(refusal(gate, caller));
  gate.charge_tokens(caller, 1200);
  const auto refused = refusal(gate, caller);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after(), 61s) << "600 below zero, and one to go on";
  advance(59s);
  EXPECT_TRUE(refusal(gate, caller));
  advance(2s);
  EXPECT_FALSE(refusal(gate, caller));
}

TEST_F(GatekeeperTest, DayBudgetSurvivesARestartAndEndsWithTheDay) {
  const auto key = ada({.tokens_per_day = 1000});
  add(key);
  {
    Gatekeeper gate(file, clock);
    EXPECT_FALSE(refusal(gate, {key}));
    gate.charge_tokens({key}, 999);
    EXPECT_FALSE(refusal(gate, {key}));
    gate.charge_tokens({key}, 1);
    EXPECT_TRUE(refusal(gate, {key}));
  }
  Gatekeeper gate(file, clock);
  const auto refused = refusal(gate, {key});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after(), 12h);
  advance(12h);
  EXPECT_FALSE(refusal(gate, {key}));
  gate.refresh();
  EXPECT_FALSE(refusal(gate, {key}));
}

TEST_F(GatekeeperTest, DayBudgetHoldsWhereNothingCanBeWrittenDown) {
  const auto key = ada({.tokens_per_day = 1000});
  add(key);
  const auto first_day = std::chrono::floor<std::chrono::days>(wall.load());
  Gatekeeper gate(file, clock);
  // What a full disk does to it: the keys are read, and no use is written.
  Database(file).execute("CREATE TRIGGER full BEFORE INSERT ON usage BEGIN SELECT RAISE(ABORT, 'disk full'); END");
  gate.charge_tokens({key}, 900);
  advance(6s);
  EXPECT_ANY_THROW(gate.refresh());
  EXPECT_FALSE(refusal(gate, {key}));
  gate.charge_tokens({key}, 100);
  EXPECT_TRUE(refusal(gate, {key}));
  advance(12h);
  EXPECT_ANY_THROW(gate.refresh());
  EXPECT_FALSE(refusal(gate, {key})) << "the new day has a budget of its own";
  gate.charge_tokens({key}, 1200);
  EXPECT_TRUE(refusal(gate, {key})) << "and it holds";
  EXPECT_ANY_THROW(gate.refresh());
  EXPECT_TRUE(refusal(gate, {key}));
  Database(file).execute("DROP TRIGGER full");
  advance(6s);
  gate.refresh();
  EXPECT_TRUE(refusal(gate, {key}));
  EXPECT_EQ(KeyRing(file).tokens_of(first_day).at(key.id), 1000u) << "each day's use is written under its day";
  EXPECT_EQ(KeyRing(file).tokens_of(first_day + std::chrono::days(1)).at(key.id), 1200u);
}

TEST_F(GatekeeperTest, DayBudgetIsOneForAllProcesses) {
  const auto key = ada({.tokens_per_day = 1000});
  add(key);
  Gatekeeper one(file, clock), two(file, clock);
  one.charge_tokens({key}, 600);
  two.charge_tokens({key}, 600);
  EXPECT_FALSE(refusal(one, {key}));
  advance(6s);
  one.refresh();
  two.refresh();
  advance(6s);
  one.refresh();
  EXPECT_TRUE(refusal(one, {key}));
  EXPECT_TRUE(refusal(two, {key}));
}

TEST_F(GatekeeperTest, RevocationByAnotherProcessIsSeenWithinASecond) {
  const auto key = ada();
  const auto secret = add(key);
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  // Before SQLite is opened here: its connections do not cross a fork.
  const auto child = ::fork();
  if (child == 0) {
    char byte;
    const bool told = ::read(go[0], &byte, 1) == 1;
    if (told) KeyRing(file).revoke(key.id, Timestamp{}, "test");
    ::_exit(told ? 0 : 1);
  }
  Gatekeeper gate(file);
  EXPECT_EQ(gate.admit(secret, "p").key.id, key.id);
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ::close(go[0]);
  ::close(go[1]);
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (code_of([&] { gate.admit(secret, "p"); }) != ErrorCode::unauthorized) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::sleep_for(20ms);
  }
}

TEST_F(GatekeeperTest, ANewKeyIsAdmittedAtOnceWithoutARestart) {
  Gatekeeper gate(file, clock);
  const auto secret = add(ada());
  EXPECT_EQ(gate.admit(secret, "p").key.user, "ada");
}

TEST_F(GatekeeperTest, GuessesDoNotReadTheFileEachTime) {
  Gatekeeper gate(file, clock);
  EXPECT_EQ(code_of([&] { gate.admit("llk_guess", "p"); }), ErrorCode::unauthorized);
  const auto secret = add(ada());
  EXPECT_EQ(code_of([&] { gate.admit(secret, "p"); }), ErrorCode::unauthorized) << "it was read just now";
  advance(1s);
  EXPECT_EQ(gate.admit(secret, "p").key.user, "ada");
}

TEST_F(GatekeeperTest, NobodyIsAdmittedWhenTheKeysCannotBeRead) {
  const auto secret = add(ada());
  Gatekeeper gate(file, clock);
  EXPECT_NO_THROW(gate.admit(secret, "p"));
  Database(file).execute("DROP TABLE generation");
  EXPECT_ANY_THROW(gate.refresh());
  advance(59s);
  EXPECT_NO_THROW(gate.admit(secret, "p")) << "a passing trouble";
  advance(2s);
  EXPECT_EQ(code_of([&] { gate.admit(secret, "p"); }), ErrorCode::io_error);
}

TEST_F(GatekeeperTest, ThreadsAskAtTheSameTime) {
  const auto key = ada({.requests_per_minute = 1000});
  const auto secret = add(key);
  Gatekeeper gate(file, clock);
  std::atomic<int> admitted = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          const auto caller = gate.admit(secret, "p");
          if (!refusal(gate, caller)) ++admitted;
          gate.charge_tokens(caller, 1);
        }
      });
    }
  }
  EXPECT_EQ(admitted, 1000);
}

}  // namespace
}  // namespace liftlock
