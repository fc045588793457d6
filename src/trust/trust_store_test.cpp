#include <sys/stat.h>

#include <gmock/gmock.h>

#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

struct TrustStoreTest : ::testing::Test {
  TemporaryFolder folder;
  TrustStore store{folder.path() / "trust"};
  std::string first = signed_statement(sample_root(), {"root1"});
  std::string second = signed_statement(next(sample_root()), {"root1"});
};

TEST_F(TrustStoreTest, TrustsNobodyAtFirst) {
  EXPECT_TRUE(store.empty());
  EXPECT_EQ(code_of([&] { store.current(); }), ErrorCode::trust_missing);
  EXPECT_EQ(code_of([&] { store.follow({first}, k_now); }), ErrorCode::trust_missing);
}

TEST_F(TrustStoreTest, AFolderThatCannotBeReadIsNotOneThatTrustsNobody) {
  write_file_atomically(folder.path() / "no-folder", "");
  EXPECT_EQ(code_of([&] { (void)TrustStore(folder.path() / "no-folder").empty(); }), ErrorCode::io_error);
  EXPECT_TRUE(TrustStore(folder.path() / "none").empty());
}

TEST_F(TrustStoreTest, PinsOnlyWhatHasTheGivenFingerprint) {
  EXPECT_EQ(code_of([&] { store.pin(first, root_fingerprint(second)); }), ErrorCode::confirmation_required);
  EXPECT_TRUE(store.empty());
  store.pin(first, root_fingerprint(first));
  EXPECT_EQ(store.current().version, 1u);
  EXPECT_NO_THROW(store.pin(first, root_fingerprint(first)));
}

TEST_F(TrustStoreTest, FollowsAChainAndKeepsItsBytes) {
  store.pin(first, root_fingerprint(first));
  EXPECT_EQ(store.follow({first, second}, k_now), 1u);
  EXPECT_EQ(store.follow({first, second}, k_now), 0u);
  EXPECT_EQ(store.current().version, 2u);
  EXPECT_EQ(store.statements(), (std::vector<std::string>{first, second}));
}

TEST_F(TrustStoreTest, StoresNothingOfABrokenChain) {
  store.pin(first, root_fingerprint(first));
  const auto fourth = signed_statement(next(next(next(sample_root()))), {"root1"});
  EXPECT_EQ(code_of([&] { store.follow({second, fourth}, k_now); }), ErrorCode::trust_broken);
  EXPECT_EQ(store.current().version, 1u);
}

TEST_F(TrustStoreTest, NoticesAForkInThePast) {
  store.pin(first, root_fingerprint(first));
  store.follow({second}, k_now);
  auto other = sample_root();
  other.thresholds[Role::scanner] = 1;
  try {
    store.follow({signed_statement(other, {"root1"}), second}, k_now);
    FAIL() << "a fork is followed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::trust_broken);
    EXPECT_THAT(error.hint(), ::testing::HasSubstr("liftlock trust pin BUNDLE --fingerprint FINGERPRINT --replace"));
  }
}

TEST_F(TrustStoreTest, ReplacesAlsoWhatRotted) {
  store.pin(first, root_fingerprint(first));
  store.follow({second}, k_now);
  write_file_atomically(folder.path() / "trust/1.root.json", "rot");
  store.replace(first, root_fingerprint(first));
  EXPECT_EQ(store.statements(), std::vector{first});
  EXPECT_TRUE(fs::exists(folder.path() / "trust/replaced/unreadable/2.root.json"));
}

TEST_F(TrustStoreTest, AStatementOfTheFutureIsRefused) {
  const auto root = parse_root(first);
  EXPECT_NO_THROW(require_no_future(root, root.created - std::chrono::hours(24)));
  EXPECT_EQ(code_of([&] { require_no_future(root, root.created - std::chrono::hours(25)); }), ErrorCode::clock_behind);
}

TEST_F(TrustStoreTest, RefusesAnotherChainUnlessItReplacesTheFirst) {
  store.pin(first, root_fingerprint(first));
  store.follow({second}, k_now);
  auto other = sample_root();
  other.organisation = "Successor";
  const auto successor = signed_statement(other, {"root2"});
  EXPECT_EQ(code_of([&] { store.pin(successor, root_fingerprint(successor)); }), ErrorCode::immutable);
  store.replace(successor, root_fingerprint(successor));
  EXPECT_EQ(store.current().organisation, "Successor");
  EXPECT_EQ(store.statements().size(), 1u);
  EXPECT_TRUE(
      fs::exists(folder.path() / "trust/replaced" / root_fingerprint(first).hex().substr(0, 16) / "2.root.json"));
}

TEST_F(TrustStoreTest, NoticesEditedStatements) {
  store.pin(first, root_fingerprint(first));
  store.follow({second}, k_now);
  auto forged = next(sample_root());
  forged.keys.push_back(listed(key_of("mallory"), Role::builder, "mallory"));
  write_file_atomically(folder.path() / "trust/2.root.json", signed_statement(forged, {"mallory"}));
  EXPECT_EQ(code_of([&] { store.current(); }), ErrorCode::trust_broken);
}

}  // namespace
}  // namespace liftlock
