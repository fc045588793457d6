#include "gateway/key_grant.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"

namespace liftlock {
namespace {

const Labels k_labels({"OPEN", "INNER", "SECRET"}, {}, {});

/// The member that is more than the maker's; empty: it may be made.
std::string refused(const ApiKey& wanted, const ApiKey& maker, RecordMode site = RecordMode::full,
                    const Labels& labels = k_labels) {
  try {
    require_within(wanted, maker, labels, site);
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::forbidden);
    return error.message().substr(0, error.message().find(':'));
  }
}

ApiKey admin() {
  ApiKey key;
  key.id = "key_0123456789ab";
  key.user = "root";
  key.role = UserRole::admin;
  return key;
}

TEST(KeyGrant, AnAdminsKeyMakesAllRolesButTheOneThatReadsRecords) {
  for (const auto role : {UserRole::viewer, UserRole::operate, UserRole::admin}) {
    ApiKey wanted;
    wanted.role = role;
    EXPECT_EQ(refused(wanted, admin()), "") << name(role);
  }
  ApiKey wanted;
  wanted.role = UserRole::auditor;
  EXPECT_EQ(refused(wanted, admin()), "role");
}

TEST(KeyGrant, ARoleIsWithinAnotherWhereItMayNoMore) {
  EXPECT_TRUE(is_within(UserRole::viewer, UserRole::operate));
  EXPECT_FALSE(is_within(UserRole::operate, UserRole::viewer));
  EXPECT_FALSE(is_within(UserRole::admin, UserRole::operate));
  EXPECT_FALSE(is_within(UserRole::viewer, UserRole::auditor)) << "an auditor asks no models";
  EXPECT_TRUE(is_within(UserRole::auditor, UserRole::auditor));
}

TEST(KeyGrant, ModelsAreThoseOfTheMakerOrFewer) {
  auto maker = admin();
  ApiKey wanted;
  wanted.models = {"anything", "gpu/*"};
  EXPECT_EQ(refused(wanted, maker), "") << "the maker is for all";
  maker.models = {"demo*", "gpu/scout?"};
  for (const auto& models :
       std::vector<std::vector<std::string>>{{"demo"}, {"demo-2", "gpu/scout7"}, {"demo*"}, {"gpu/scout?", "demo"}}) {
    wanted.models = models;
    EXPECT_EQ(refused(wanted, maker), "") << testing::PrintToString(models);
  }
  // Of the last three not all that they match is the maker's, or nobody wants to prove it.
  for (const auto& models : std::vector<std::vector<std::string>>{
           {}, {"other"}, {"demo", "other"}, {"*"}, {"gpu/demo"}, {"gpu/scout*"}, {"demo**"}, {"demo-*"}}) {
    wanted.models = models;
    EXPECT_EQ(refused(wanted, maker), "models") << testing::PrintToString(models);
  }
}

TEST(KeyGrant, ALimitOfTheMakerBindsEachKeyThatItMakes) {
  auto maker = admin();
  ApiKey wanted;
  wanted.limits = {.requests_per_minute = 60, .tokens_per_minute = 100, .tokens_per_day = 1000};
  EXPECT_EQ(refused(wanted, maker), "");
  maker.limits = wanted.limits;
  EXPECT_EQ(refused(wanted, maker), "") << "as much";
  wanted.limits.requests_per_minute = 61;
  EXPECT_EQ(refused(wanted, maker), "requests_per_minute");
  wanted.limits.requests_per_minute = 1;
  wanted.limits.tokens_per_minute = 0;
  EXPECT_EQ(refused(wanted, maker), "tokens_per_minute") << "0 is without a limit";
  wanted.limits.tokens_per_minute = 1;
  wanted.limits.tokens_per_day = 1001;
  EXPECT_EQ(refused(wanted, maker), "tokens_per_day");
}

TEST(KeyGrant, NoKeyOutlivesItsMakersEnd) {
  auto maker = admin();
  ApiKey wanted;
  EXPECT_EQ(refused(wanted, maker), "");
  maker.expires = parse_time("2099-01-01T00:00:00Z");
  EXPECT_EQ(refused(wanted, maker), "expires") << "it never ends";
  wanted.expires = parse_time("2099-01-01T00:00:01Z");
  EXPECT_EQ(refused(wanted, maker), "expires");
  wanted.expires = maker.expires;
  EXPECT_EQ(refused(wanted, maker), "");
}

TEST(KeyGrant, NoKeyHasAHigherLabel) {
  auto maker = admin();
  ApiKey wanted;
  EXPECT_EQ(refused(wanted, maker), "");
  wanted.label = "INNER";
  EXPECT_EQ(refused(wanted, maker), "label") << "without one it has the lowest";
  maker.label = "INNER";
  EXPECT_EQ(refused(wanted, maker), "");
  wanted.label = "SECRET";
  EXPECT_EQ(refused(wanted, maker), "label");
  maker.label = "GONE";
  EXPECT_EQ(refused(wanted, maker), "label") << "what the site does not know any more is the lowest";
  wanted.label = "";
  EXPECT_EQ(refused(wanted, maker), "label") << "for what may leave it is the highest";
  wanted.label = "SECRET";
  EXPECT_EQ(refused(wanted, maker, RecordMode::full, {}), "") << "the site has no labels";
}

TEST(KeyGrant, NoKeyIsRecordedLess) {
  auto maker = admin();
  ApiKey wanted;
  EXPECT_EQ(refused(wanted, maker), "") << "as the site says, both";
  wanted.record = "full";
  EXPECT_EQ(refused(wanted, maker), "");
  for (const auto* less : {"hash-only", "off"}) {
    wanted.record = less;
    EXPECT_EQ(refused(wanted, maker), "record") << less;
  }
  EXPECT_EQ(refused(wanted, maker, RecordMode::off), "") << "the site records nothing";
  maker.record = "hash-only";
  EXPECT_EQ(refused(wanted, maker), "record");
  wanted.record = "hash-only";
  EXPECT_EQ(refused(wanted, maker), "");
  wanted.record = "";
  EXPECT_EQ(refused(wanted, maker), "record") << "of some models the site may say off";
}

}  // namespace
}  // namespace liftlock
