#include "trust/trust_fork.hpp"

#include <gmock/gmock.h>

#include "trust/logged_trust.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TrustRoot other(TrustRoot root) {
  root.thresholds[Role::scanner] = 1;
  return root;
}

struct TrustForkTest : ::testing::Test {
  TemporaryFolder folder;
  Site site = Site::create(folder.path(), Zone::ingest, "test");
  TrustStore store{site.trust_folder()};
  AuditLog log{site.audit_folder(), "test"};
  std::string first = signed_statement(sample_root(), {"root1"});
  std::string second = signed_statement(next(sample_root()), {"root1"});
  std::string fork = signed_statement(other(next(sample_root())), {"root1"});

  TrustForkTest() {
    store.pin(first, root_fingerprint(first));
    store.follow({second}, k_now);
    tell("trust.update", second, "{\"version\":2}");
  }
  void tell(std::string_view type, const std::string& statement, const std::string& detail = "{}") {
    log.append({.type = std::string(type),
                .actor = "ian(1000)",
                .outcome = Outcome::success,
                .subject = root_fingerprint(statement).text(),
                .detail = detail});
  }
  /// The fingerprints of open alarms, once these statements were brought.
  std::vector<std::string> after(const std::vector<std::string>& brought) {
    const auto judge = [&] { (void)judge_chain(store.pinned_chain(), brought, k_now); };
    refusal = code_of([&] { noting_forks(site, brought, "ian(1000)", judge); });
    std::vector<std::string> out;
    for (const auto& one : open()) out.push_back(one.fingerprint);
    return out;
  }
  std::vector<TrustFork> open() { return unsettled_forks(AuditLog::open_to_read(site.audit_folder())); }
  std::optional<ErrorCode> refusal;  ///< of the last ones
};

TEST_F(TrustForkTest, WhatARootKeySignedIsAnAlarmUntilAPersonSettlesIt) {
  const auto alarm = ElementsAre(root_fingerprint(fork).text());
  EXPECT_THAT(after({first, fork}), alarm);
  EXPECT_EQ(refusal, ErrorCode::trust_broken);
  const auto found = open().at(0);
  EXPECT_EQ(found.version, 2u);
  EXPECT_EQ(found.followed, root_fingerprint(second).text());
  EXPECT_THAT(found.signed_by, ElementsAre(key_of("root1").public_key().id()));
  const auto size = AuditLog::open_to_read(site.audit_folder()).size();
  EXPECT_THAT(after({fork}), alarm);
  EXPECT_EQ(AuditLog::open_to_read(site.audit_folder()).size(), size) << "it is told once";
  EXPECT_THAT(after({first, second}), alarm) << "what is good ends no alarm";
  tell(k_settle_event, second);
  EXPECT_THAT(after({}), alarm) << "that was about another one";
  tell(k_settle_event, fork);
  EXPECT_THAT(after({}), IsEmpty());
  EXPECT_THAT(after({fork}), alarm) << "it came once more";
}

TEST_F(TrustForkTest, AForkThatAPersonPinnedIsWhatIsFollowed) {
  const auto tell_pin = [&](Outcome outcome) {
    log.append({.type = "trust.pin",
                .actor = "ian(1000)",
                .outcome = outcome,
                .subject = root_fingerprint(fork).text(),
                .detail = R"({"version":2,"remark":"replace the trust that was pinned: the other one is false"})"});
  };
  const auto alarm = ElementsAre(root_fingerprint(fork).text());
  EXPECT_THAT(after({first, fork}), alarm);
  tell_pin(Outcome::intent);
  EXPECT_THAT(after({}), alarm) << "it was not done yet";
  tell_pin(Outcome::failure);
  EXPECT_THAT(after({}), alarm) << "it was refused";
  store.replace(fork, root_fingerprint(fork));
  tell_pin(Outcome::success);
  EXPECT_THAT(after({}), IsEmpty());
  EXPECT_THAT(after({fork}), IsEmpty());
  EXPECT_THAT(after({second}), ElementsAre(root_fingerprint(second).text())) << "now that is the other one";
}

TEST_F(TrustForkTest, AnybodyCanMakeOneThatNoRootKeySigned) {
  auto changed = other(next(sample_root()));
  changed.keys.push_back(listed(key_of("mallory"), Role::root, "mallory"));
  EXPECT_THAT(after({signed_statement(changed, {"mallory"})}), IsEmpty());
  EXPECT_THAT(after({signed_statement(changed, {"bob"})}), IsEmpty()) << "a builder's key";
  EXPECT_THAT(after({signed_statement(changed, {})}), IsEmpty());
  auto unfit = decode_root(fork);
  unfit.signatures.at(0).signature.at(8) ^= 1;
  EXPECT_THAT(after({encode_root(unfit)}), IsEmpty());
  EXPECT_THAT(after({"{"}), IsEmpty());
}

TEST_F(TrustForkTest, OneSignatureThatFitsIsEnoughWhateverStandsBesideIt) {
  auto statement = decode_root(signed_statement(other(next(sample_root())), {"root1", "root2"}));
  statement.signatures.at(0).signature.at(8) ^= 1;
  EXPECT_THAT(after({encode_root(statement)}), ElementsAre(root_fingerprint(fork).text()));
}

TEST_F(TrustForkTest, AKeyThatWasRevokedSinceSpokeForThisChainOnce) {
  auto third = next(next(sample_root()));
  find_owner(third, "root2").revoked_since = k_now;
  find_owner(third, "root2").revoked_reason = "stolen";
  store.follow({signed_statement(third, {"root1"})}, k_now);
  const auto by_thief = signed_statement(other(next(sample_root())), {"root2"});
  EXPECT_THAT(after({first, by_thief}), ElementsAre(root_fingerprint(by_thief).text()));
}

TEST_F(TrustForkTest, TheLogRemembersWhatTheFolderLost) {
  fs::remove(site.trust_folder() / "2.root.json");
  Error lost(ErrorCode::trust_broken, "the newest statements are lost");
  note_fork(site, {first, second}, "ian(1000)", lost);
  EXPECT_EQ(open().size(), 0u) << "the lost one itself";
  note_fork(site, {first, fork}, "ian(1000)", lost);
  EXPECT_EQ(open().size(), 1u);
}

}  // namespace
}  // namespace liftlock
