#include "trust/logged_trust.hpp"

#include <gmock/gmock.h>

#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

struct LoggedTrustTest : ::testing::Test {
  TemporaryFolder folder;
  Site site = Site::create(folder.path(), Zone::ingest, "test");
  TrustStore store{site.trust_folder()};
  AuditLog log{site.audit_folder(), "test"};
  std::string first = signed_statement(sample_root(), {"root1"});
  std::string second = signed_statement(next(sample_root()), {"root1"});

  void tell(const std::string& type, Outcome outcome, const std::string& statement, const std::string& detail = "{}") {
    log.append({.type = type,
                .actor = "ian(1000)",
                .outcome = outcome,
                .subject = root_fingerprint(statement).text(),
                .detail = detail});
  }
  /// The first statement is pinned and the second one followed, as the log tells it.
  void follow_both() {
    store.pin(first, root_fingerprint(first));
    tell("trust.pin", Outcome::success, first);
    store.follow({second}, k_now);
    tell("trust.update", Outcome::success, second);
  }
  void lose(int version) { fs::remove(site.trust_folder() / fmt::format("{}.root.json", version)); }
  std::optional<ErrorCode> refused(const std::vector<std::string>& brought = {}) {
    return code_of([&] { require_trust_as_logged(store, log, brought); });
  }
};

TEST_F(LoggedTrustTest, NobodyIsTrustedByAnOldChainOrNone) {
  EXPECT_EQ(refused(), std::nullopt);
  EXPECT_TRUE(trust_of(site).empty());
  follow_both();
  EXPECT_EQ(trust_of(site).current().version, 2u);
  lose(2);
  EXPECT_EQ(refused(), ErrorCode::trust_broken);
  EXPECT_EQ(code_of([&] { (void)trust_of(site); }), ErrorCode::trust_broken);
  lose(1);
  EXPECT_EQ(refused(), ErrorCode::trust_missing);
}

TEST_F(LoggedTrustTest, ALogThatIsLostIsNoLogThatDidNotBegin) {
  TemporaryFolder other;
  const auto fresh = Site::create(other.path(), Zone::ingest, "test");
  EXPECT_TRUE(trust_of(fresh).empty());
  TrustStore(fresh.trust_folder()).pin(first, root_fingerprint(first));
  EXPECT_EQ(code_of([&] { (void)trust_of(fresh); }), ErrorCode::not_found);
}

TEST_F(LoggedTrustTest, WhatIsMissingHealsByItselfOnly) {
  follow_both();
  lose(2);
  auto other = next(sample_root());
  other.thresholds[Role::scanner] = 1;
  const auto fork = signed_statement(other, {"root1"});
  const auto third = signed_statement(next(next(sample_root())), {"root1"});
  EXPECT_EQ(refused({first, fork}), ErrorCode::trust_broken);
  EXPECT_EQ(refused({first, fork, third}), ErrorCode::trust_broken);
  EXPECT_EQ(refused({second}), std::nullopt);
  EXPECT_EQ(refused({first, second, third}), std::nullopt);
}

TEST_F(LoggedTrustTest, AnotherChainTakesThePlaceOfTheOneBefore) {
  follow_both();
  auto root = sample_root();
  root.organisation = "Other";
  const auto other = signed_statement(root, {"root1"});
  const std::string detail = R"({"remark":"replace the trust that was pinned: moved"})";
  store.replace(other, root_fingerprint(other));
  tell("trust.pin", Outcome::intent, other, detail);
  try {
    require_trust_as_logged(store, log);
    FAIL() << "the log does not say that it ended";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::trust_broken);
    EXPECT_THAT(error.hint(), ::testing::HasSubstr("--replace")) << "what is missing cannot be followed from here";
  }
  tell("trust.pin", Outcome::success, other, detail);
  EXPECT_EQ(refused(), std::nullopt);
}

TEST_F(LoggedTrustTest, AKnownChainComesBackWholeOrNotAtAll) {
  follow_both();
  LoggedTrust logged;
  const auto both = std::vector{first, second};
  EXPECT_EQ(logged.whole_chain(store, log, {first}, k_now), both) << "what is pinned counts";
  lose(1);
  lose(2);
  EXPECT_TRUE(logged.whole_chain(store, log, {first}, k_now).empty());
  EXPECT_TRUE(logged.knows(store, log, root_fingerprint(first)));
  EXPECT_EQ(logged.whole_chain(store, log, both, k_now), both);
  const auto third = signed_statement(next(next(sample_root())), {"root1"});
  EXPECT_FALSE(logged.knows(store, log, root_fingerprint(third)));
  EXPECT_EQ(logged.whole_chain(store, log, {first, second, third}, k_now).size(), 3u);
  // As it was possible once.
  store.pin(first, root_fingerprint(first));
  tell("trust.pin", Outcome::success, first, R"({"remark":"replace the trust that was pinned: x"})");
  EXPECT_EQ(refused(), ErrorCode::trust_broken) << "the second one is forgotten";
}

TEST_F(LoggedTrustTest, AChainThatWasReplacedComesBackWholeToo) {
  follow_both();
  auto root = sample_root();
  root.organisation = "Other";
  const auto other = signed_statement(root, {"root1"});
  const auto whole = [&](const std::vector<std::string>& brought) {
    return LoggedTrust().whole_chain(store, log, brought, k_now, LoggedTrust::Chains::replaced_too);
  };
  EXPECT_TRUE(whole({other}).empty());
  EXPECT_FALSE(LoggedTrust().knows(store, log, root_fingerprint(other)));
  store.replace(other, root_fingerprint(other));
  tell("trust.pin", Outcome::success, other, R"({"remark":"replace the trust that was pinned: moved"})");
  EXPECT_TRUE(whole({first}).empty());
  EXPECT_TRUE(LoggedTrust().knows(store, log, root_fingerprint(first)));
  EXPECT_TRUE(LoggedTrust().whole_chain(store, log, {first, second}, k_now).empty()) << "by a replace only";
  ASSERT_EQ(whole({first, second}), (std::vector{first, second}));
  replace_chain(store, {first, second}, k_now);
  tell("trust.pin", Outcome::success, second,
       fmt::format(R"({{"remark":"replace the trust that was pinned: back","restores":"{}"}})",
                   root_fingerprint(first).text()));
  EXPECT_EQ(refused(), std::nullopt);
  lose(2);
  EXPECT_EQ(refused(), ErrorCode::trust_broken);
}

TEST_F(LoggedTrustTest, WhatRottedIsNamedAndComesBack) {
  follow_both();
  const auto third = signed_statement(next(next(sample_root())), {"root1"});
  store.follow({third}, k_now);
  tell("trust.update", Outcome::success, third, R"({"version":3})");
  const auto all = std::vector{first, second, third};
  const auto file = [&](int version) { return site.trust_folder() / fmt::format("{}.root.json", version); };
  auto changed = sample_root();
  changed.keys.push_back(listed(key_of("mallory"), Role::builder, "mallory"));
  const auto forged = signed_statement(changed, {"mallory"});
  const std::vector<std::pair<int, std::optional<std::string>>> cases = {
      {1, "{" + first}, {1, forged}, {2, second.substr(1)}, {1, std::nullopt}, {2, std::nullopt}};
  for (const auto& [version, content] : cases) {
    if (content) {
      write_file_atomically(file(version), *content);
    } else {
      fs::remove(file(version));
    }
    // Where the first is lost, only its fingerprint is known: that entry of the log has no version.
    const auto named = version == 1 && !content ? root_fingerprint(first).text() : file(version).string();
    try {
      require_trust_as_logged(store, log);
      FAIL() << named;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::trust_broken);
      EXPECT_THAT(error.what(), ::testing::HasSubstr(named));
      EXPECT_THAT(error.hint(), ::testing::HasSubstr("liftlock trust update"));
    }
    EXPECT_TRUE(LoggedTrust().whole_chain(store, log, {second}, k_now).empty() || version == 2);
    const auto whole = LoggedTrust().whole_chain(store, log, all, k_now);
    ASSERT_EQ(whole, all);
    replace_chain(store, whole, k_now);
    EXPECT_EQ(store.statements(), all);
    EXPECT_EQ(refused(), std::nullopt);
  }
}

TEST_F(LoggedTrustTest, AForkDoesNotTakeThePlaceOfWhatRotted) {
  follow_both();
  const auto third = signed_statement(next(next(sample_root())), {"root1"});
  store.follow({third}, k_now);
  tell("trust.update", Outcome::success, third);
  auto other = next(sample_root());
  other.thresholds[Role::scanner] = 1;
  const auto fork = signed_statement(other, {"root1"});
  EXPECT_TRUE(LoggedTrust().whole_chain(store, log, {first, fork}, k_now).empty());
  EXPECT_FALSE(LoggedTrust().knows(store, log, root_fingerprint(fork))) << "where what is pinned is the false one";
  lose(1);
  EXPECT_TRUE(LoggedTrust().whole_chain(store, log, {first, fork}, k_now).empty());
}

TEST_F(LoggedTrustTest, WhoJudgesOftenSeesWhatCameSince) {
  LoggedTrust logged;
  const auto judged = [&] { return code_of([&] { logged.require(store, log); }); };
  EXPECT_EQ(judged(), std::nullopt);
  follow_both();
  EXPECT_EQ(judged(), std::nullopt);
  lose(2);
  EXPECT_EQ(judged(), ErrorCode::trust_broken);
  store.follow({second}, k_now);
  EXPECT_EQ(judged(), std::nullopt);
}

}  // namespace
}  // namespace liftlock
