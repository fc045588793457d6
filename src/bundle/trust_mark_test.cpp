#include "bundle/trust_mark.hpp"

#include "bundle/ingest_fixture.hpp"
#include "bundle/standing.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

/// A node that took one bundle, learnt then that its signer's key is revoked, and has copies from before that.
class TrustMarkTest : public IngestTest {
 protected:
  TrustMarkTest() {
    packed("first");
    ingested("first");
    for (const auto* name : {"audit", "trust"}) copy(site().folder() / name, old(name));
    auto second = next(sample_root());
    find_owner(second, "bob").revoked_since = k_now;
    find_owner(second, "bob").revoked_reason = "laptop stolen";
    m_second = signed_statement(second, {"root1"});
    packed_with_trust("revoking", {m_statement, m_second});
    packed("later", ContentForm::tree, 2);
  }

  fs::path old(std::string_view name) { return m_folder.path() / "old" / name; }
  static void copy(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    make_folders(to.parent_path());
    fs::copy(from, to, fs::copy_options::recursive);
  }
  void put_back(std::string_view name) { copy(old(name), site().folder() / name); }
  TrustStore trust() { return TrustStore(site().trust_folder()); }
  AuditLog log() { return AuditLog(site().audit_folder(), ""); }
  std::optional<ErrorCode> as_marked(const std::vector<std::string>& brought = {}) {
    return code_of([&] { require_trust_as_marked(site(), log(), brought); });
  }

  std::string m_second;
};

TEST_F(TrustMarkTest, OldCopiesOfLogAndTrustTogetherLetNoRevokedKeyIn) {
  EXPECT_EQ(refused("revoking"), ErrorCode::key_revoked);
  EXPECT_EQ(trust().current().version, 2u);
  put_back("audit");
  put_back("trust");
  EXPECT_EQ(trust().current().version, 1u);
  EXPECT_EQ(trust_of(site()).current().version, 1u) << "the two agree, and nothing in them says that they are old";
  EXPECT_EQ(refused("later"), ErrorCode::trust_rolled_back);
  EXPECT_EQ(publications(), 1u);
  const auto model = Catalog(site().catalog_file()).find("model:tiny@2").value();
  EXPECT_EQ(code_of([&] {
              (void)require_believed(model, Catalog(site().catalog_file()), BlobStore(site().store_folder()), log(),
                                     trust());
            }),
            ErrorCode::trust_rolled_back);
}

TEST_F(TrustMarkTest, TheStatementItselfHealsThem) {
  EXPECT_EQ(refused("revoking"), ErrorCode::key_revoked);
  put_back("audit");
  put_back("trust");
  EXPECT_EQ(refused("revoking"), ErrorCode::key_revoked) << "it brings what is marked";
  EXPECT_EQ(trust().current().version, 2u);
  EXPECT_EQ(as_marked(), std::nullopt);
  EXPECT_EQ(refused("later"), ErrorCode::key_revoked);
}

TEST_F(TrustMarkTest, AnOldCopyOfOneOfThemIsNoMatterOfTheMark) {
  EXPECT_EQ(refused("revoking"), ErrorCode::key_revoked);
  put_back("audit");
  EXPECT_EQ(as_marked(), std::nullopt) << "the folder knows";
  EXPECT_EQ(refused("later"), ErrorCode::key_revoked);
  put_back("trust");
  EXPECT_EQ(as_marked(), ErrorCode::trust_rolled_back);
}

TEST_F(TrustMarkTest, AnOldCopyLowersNoMark) {
  EXPECT_EQ(refused("revoking"), ErrorCode::key_revoked);
  put_back("trust");
  EXPECT_EQ(code_of([&] { mark_trust(site(), log()); }), ErrorCode::trust_broken) << "the log knows";
  put_back("audit");
  mark_trust(site(), log());
  EXPECT_EQ(as_marked(), ErrorCode::trust_rolled_back);
}

TEST_F(TrustMarkTest, OnlyAChainWithTheMarkedStatementHeals) {
  EXPECT_EQ(refused("revoking"), ErrorCode::key_revoked);
  put_back("audit");
  put_back("trust");
  EXPECT_EQ(as_marked({m_statement, m_second}), std::nullopt);
  EXPECT_EQ(as_marked({m_statement}), ErrorCode::trust_rolled_back);
  auto third = next(next(sample_root()));
  third.organisation = "Other";
  EXPECT_EQ(as_marked({m_second, signed_statement(third, {"root1"})}), ErrorCode::trust_broken) << "no chain";
}

TEST_F(TrustMarkTest, AnotherChainTakesTheMarkForAReason) {
  auto other = sample_root();
  other.organisation = "Other";
  const auto statement = signed_statement(other, {"root1"});
  TrustStore store(site().trust_folder());
  store.replace(statement, root_fingerprint(statement));
  EXPECT_EQ(as_marked(), ErrorCode::trust_rolled_back) << "nothing says that a person did that";
  mark_trust(site(), log());
  EXPECT_EQ(as_marked(), ErrorCode::trust_rolled_back);
  mark_trust(site(), log(), TrustMark::replace);
  EXPECT_EQ(as_marked(), std::nullopt);
}

TEST_F(TrustMarkTest, WhereNothingIsMarkedNothingIsAmiss) {
  fs::remove_all(site().store_folder());
  EXPECT_EQ(as_marked(), std::nullopt) << "no catalog";
  mark_trust(site(), log());
  EXPECT_FALSE(fs::exists(site().catalog_file())) << "a mark begins none";
  make_folders(site().store_folder());
  (void)Catalog(site().catalog_file());
  EXPECT_EQ(as_marked(), std::nullopt) << "a catalog of an earlier version";
}

}  // namespace
}  // namespace liftlock
