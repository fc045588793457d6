#include "access/key_ring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"
#include "db/database.hpp"

namespace liftlock {
namespace {

constexpr Timestamp k_time{std::chrono::seconds(1'800'000'000)};
constexpr Day k_day = std::chrono::floor<std::chrono::days>(k_time);

ApiKey ada() {
  ApiKey key;
  key.id = KeyRing::new_id();
  key.user = "ada";
  key.created = k_time;
  return key;
}

struct KeyRingTest : testing::Test {
  TemporaryFolder folder;
  fs::path file = folder.path() / "access.db";
};

TEST_F(KeyRingTest, WhatIsAddedIsListed) {
  auto key = ada();
  key.role = UserRole::operate;
  key.models = {"demo", "qwen*"};
  key.limits = {.requests_per_minute = 60, .tokens_per_minute = 10'000, .tokens_per_day = 1'000'000};
  key.expires = k_time + std::chrono::days(90);
  key.label = "SECRET";
  key.record = "hash-only";
  key.note = "laptop";
  KeyRing(file).add(key);
  const auto keys = KeyRing(file).list();
  ASSERT_EQ(keys.size(), 1u);
  const auto& read = keys[0];
  EXPECT_EQ(read.id, key.id);
  EXPECT_EQ(read.user, "ada");
  EXPECT_EQ(read.role, UserRole::operate);
  EXPECT_EQ(read.models, key.models);
  EXPECT_EQ(read.limits.requests_per_minute, 60u);
  EXPECT_EQ(read.limits.tokens_per_minute, 10'000u);
  EXPECT_EQ(read.limits.tokens_per_day, 1'000'000u);
  EXPECT_EQ(read.expires, key.expires);
  EXPECT_EQ(read.label, "SECRET");
  EXPECT_EQ(read.record, "hash-only");
  EXPECT_EQ(read.note, "laptop");
  EXPECT_EQ(read.created, k_time);
  EXPECT_EQ(read.revoked, std::nullopt);
}

TEST_F(KeyRingTest, WhatAddWouldRefuseIsKnownBefore) {
  EXPECT_NO_THROW(KeyRing::require_valid(ada()));
  auto key = ada();
  key.user = "a\nb";
  EXPECT_EQ(code_of([&] { KeyRing::require_valid(key); }), ErrorCode::usage);
  EXPECT_EQ(code_of([&] { KeyRing(file).add(key); }), ErrorCode::usage);
}

TEST_F(KeyRingTest, SecretIsInNoFile) {
  std::string secret;
  {
    KeyRing ring(file);
    secret = ring.add(ada());
    EXPECT_EQ(ring.table().at(0).first, sha256(secret));
  }
  EXPECT_THAT(secret, testing::MatchesRegex("llk_[A-Za-z0-9_-]+"));
  EXPECT_EQ(secret.size(), 47u);
  for (const auto& entry : walk(folder.path(), 10)) {
    EXPECT_EQ(read_file(folder.path() / entry.path, 1u << 20).find(secret), std::string::npos) << entry.path;
  }
}

TEST_F(KeyRingTest, RevocationIsKeptWithItsReason) {
  KeyRing ring(file);
  const auto key = ada();
  ring.add(key);
  const auto before = ring.generation();
  ring.revoke(key.id, k_time, "left the team");
  EXPECT_NE(ring.generation(), before);
  const auto read = ring.list().at(0);
  EXPECT_EQ(read.revoked, k_time);
  EXPECT_EQ(read.revoked_reason, "left the team");
  EXPECT_EQ(code_of([&] { ring.revoke(key.id, k_time, "again"); }), ErrorCode::immutable);
  EXPECT_EQ(code_of([&] { ring.revoke("key_0", k_time, "typo"); }), ErrorCode::key_unknown);
}

TEST_F(KeyRingTest, MalformedKeysAreRefused) {
  KeyRing ring(file);
  auto key = ada();
  ring.add(key);
  EXPECT_EQ(code_of([&] { ring.add(key); }), ErrorCode::usage) << "the id is taken";
  const auto refused = [&](auto&& change) {
    auto other = ada();
    change(other);
    return code_of([&] { ring.add(other); }) == ErrorCode::usage;
  };
  EXPECT_TRUE(refused([](ApiKey& k) { k.user.clear(); }));
  EXPECT_TRUE(refused([](ApiKey& k) { k.user = std::string(201, 'a'); }));
  EXPECT_TRUE(refused([](ApiKey& k) { k.user = "a\nb"; }));
  EXPECT_TRUE(refused([](ApiKey& k) { k.user = "\xff"; }));
  EXPECT_TRUE(refused([](ApiKey& k) { k.note = "a\x1b[0m"; }));
  EXPECT_TRUE(refused([](ApiKey& k) { k.models = {""}; }));
  EXPECT_EQ(ring.list().size(), 1u);
}

TEST_F(KeyRingTest, AnUnreadableRowHidesNoOtherAndIsRevokedAsAny) {
  for (const auto* change : {"models = 'garbage'", "models = '5'", "models = '[1]'", "role = 'king'", "user = ''",
                             "note = CAST(x'ff' AS TEXT)", "revoked_reason = CAST(x'ff' AS TEXT)"}) {
    const TemporaryFolder fresh;
    const auto other = fresh.path() / "access.db";
    KeyRing ring(other);
    const auto good = ada(), bad = ada();
    ring.add(bad);
    ring.add(good);
    Database(other).execute(fmt::format("UPDATE key SET {} WHERE id = '{}'", change, bad.id).c_str());
    ASSERT_EQ(ring.list().size(), 1u) << change;
    EXPECT_EQ(ring.list()[0].id, good.id) << change;
    ASSERT_EQ(ring.unreadable().size(), 1u) << change;
    EXPECT_EQ(ring.unreadable()[0].id, bad.id) << change;
    EXPECT_FALSE(ring.unreadable()[0].is_revoked) << change;
    EXPECT_TRUE(ring.contains(bad.id)) << change;
    ring.revoke(good.id, k_time, "stolen");
    EXPECT_TRUE(ring.list()[0].revoked) << change;
    ring.revoke(bad.id, k_time, "was changed");
    EXPECT_EQ(code_of([&] { ring.revoke(bad.id, k_time, "again"); }), ErrorCode::immutable) << change;
  }
}

TEST_F(KeyRingTest, ReadingNeedsAFile) {
  EXPECT_EQ(code_of([&] { KeyRing(file, Access::read); }), ErrorCode::not_found);
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(KeyRingTest, UseOfADayIsSummedOverAllWhoCount) {
  KeyRing one(file), two(file);
  const auto key = ada();
  one.add(key);
  EXPECT_EQ(one.count_tokens(k_day, {{key.id, 100}}).at(key.id), 100u);
  EXPECT_EQ(two.count_tokens(k_day, {{key.id, 20}}).at(key.id), 120u);
  EXPECT_EQ(one.tokens_of(k_day).at(key.id), 120u);
  EXPECT_TRUE(one.tokens_of(k_day + std::chrono::days(1)).empty());
}

TEST_F(KeyRingTest, DaysLongPastAreForgotten) {
  KeyRing ring(file);
  const auto key = ada();
  ring.add(key);
  ring.count_tokens(k_day, {{key.id, 1}});
  ring.count_tokens(k_day + std::chrono::days(40), {{key.id, 1}});
  EXPECT_TRUE(ring.tokens_of(k_day).empty());
}

TEST(UserRole, EachNameIsReadBackAndRightsAreSeparated) {
  for (const auto role : {UserRole::viewer, UserRole::operate, UserRole::admin, UserRole::auditor}) {
    EXPECT_EQ(parse_user_role(name(role)), role);
    EXPECT_EQ(may(role, Right::ask), role != UserRole::auditor);
    EXPECT_EQ(may(role, Right::load), role == UserRole::operate || role == UserRole::admin);
    EXPECT_EQ(may(role, Right::keys), role == UserRole::admin);
    EXPECT_EQ(may(role, Right::records), role == UserRole::auditor);
  }
  EXPECT_EQ(parse_user_role("root"), std::nullopt);
}

}  // namespace
}  // namespace liftlock
