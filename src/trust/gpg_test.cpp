// With the real gpg and gpgv, in a GNUPGHOME of our own.
#include "trust/gpg.hpp"

#include <cstdlib>

#include "os/process.hpp"
#include "trust/openpgp.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_document = "{\"a\": \"bundle.json\"}\n";

struct GpgTest : ::testing::Test {
  static void SetUpTestSuite() {
    home = std::make_unique<TemporaryFolder>("llgpg");
    fs::permissions(home->path(), fs::perms::owner_all);
    ::setenv("GNUPGHOME", home->path().c_str(), 1);
    alice = make_key("Alice <alice@example.invalid>", "rsa2048");
    carol = make_key("Carol <carol@example.invalid>", "ed25519");
  }
  static void TearDownTestSuite() {
    run({"gpgconf", "--kill", "gpg-agent"});
    ::unsetenv("GNUPGHOME");
    home.reset();
  }

  static std::string run(std::vector<std::string> argv, std::string input = {}) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.input = std::move(input);
    return run_process_checked(spec).output;
  }
  static std::string gpg(std::vector<std::string> arguments, std::string input = {}) {
    arguments.insert(arguments.begin(),
                     {"gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""});
    return run(std::move(arguments), std::move(input));
  }
  static std::string make_key(const std::string& user, const std::string& algorithm) {
    gpg({"--quick-generate-key", user, algorithm, "sign", "never"});
    const auto listing = gpg({"--with-colons", "--list-keys", user});
    const auto at = listing.find("fpr:::::::::");
    return listing.substr(at + 12, 40);
  }
  static TrustRoot root_with(const std::string& fingerprint, Role role) {
    auto root = sample_root();
    root.keys.push_back(describe_gpg(fingerprint, role));
    return root;
  }
  static TrustedKey describe_gpg(const std::string& fingerprint, Role role) {
    const auto exported = export_gpg_key(fingerprint);
    TrustedKey key;
    key.id = exported.fingerprint;
    key.type = KeyType::gpg;
    key.role = role;
    key.owner = exported.user_id;
    key.public_key = exported.armored;
    return key;
  }
  static JudgedSignature judge_one(const std::string& bytes, const TrustRoot& root,
                                   std::string_view document = k_document) {
    return judge(document, {{"approver.x.asc", bytes}}, root, now()).at(0);
  }

  static std::unique_ptr<TemporaryFolder> home;
  static std::string alice;
  static std::string carol;
};
std::unique_ptr<TemporaryFolder> GpgTest::home;
std::string GpgTest::alice;
std::string GpgTest::carol;

TEST_F(GpgTest, SignsSoThatGpgVerifyAndJudgeAgree) {
  for (const auto& fingerprint : {alice, carol}) {
    const auto signer = open_signer("gpg:" + fingerprint, std::nullopt);
    EXPECT_EQ(signer->key_id(), fingerprint);
    EXPECT_EQ(signer->suffix(), ".asc");
    const auto signature = signer->sign(k_document);
    write_file_atomically(home->path() / "doc", k_document);
    write_file_atomically(home->path() / "doc.asc", signature);
    EXPECT_NO_THROW(gpg({"--verify", (home->path() / "doc.asc").string(), (home->path() / "doc").string()}));
    const auto judged = judge_one(signature, root_with(fingerprint, Role::approver));
    EXPECT_EQ(judged.status, SignatureStatus::valid) << judged.message;
    EXPECT_EQ(judged.key_id, fingerprint);
    EXPECT_EQ(judged.role, Role::approver);
  }
}

TEST_F(GpgTest, RootStatementCarriesTheArmoredKey) {
  const auto text = signed_statement(root_with(alice, Role::approver), {"root1"});
  EXPECT_NE(parse_root(text).find(alice), nullptr);
  auto as_root = root_with(alice, Role::root);
  EXPECT_EQ(code_of([&] { draft_root(as_root); }), ErrorCode::schema_violation);
}

TEST_F(GpgTest, RefusesOtherBytesUnlistedRevokedAndExpiredKeysAndWrongRoles) {
  const auto signature = open_signer("gpg:" + alice, std::nullopt)->sign(k_document);
  auto root = root_with(alice, Role::approver);
  EXPECT_EQ(judge_one(signature, root, "other bytes").status, SignatureStatus::invalid);
  EXPECT_EQ(judge_one(signature, root_with(carol, Role::approver)).status, SignatureStatus::unknown_key);
  EXPECT_EQ(judge_one(signature, sample_root()).status, SignatureStatus::unknown_key);
  for (auto later : {root_with(carol, Role::approver), sample_root()}) {
    later.retired = {root_with(alice, Role::approver).keys.back()};
    EXPECT_EQ(judge_one(signature, later).status, SignatureStatus::retired_key);
    EXPECT_EQ(judge_one(signature, later, "other bytes").status, SignatureStatus::unknown_key);
  }
  EXPECT_EQ(judge_one(signature, root_with(alice, Role::builder)).status, SignatureStatus::wrong_role);
  EXPECT_EQ(judge_one(signature, root_with(alice, Role::ingest)).status, SignatureStatus::wrong_role);
  root.keys.back().expires = now() - std::chrono::hours(1);
  EXPECT_EQ(judge_one(signature, root).status, SignatureStatus::expired_key);
  root.keys.back().revoked_since = now();
  EXPECT_EQ(judge_one(signature, root).status, SignatureStatus::revoked_key);
}

TEST_F(GpgTest, RefusesAKeyIdThatLies) {
  // The root names Carol's fingerprint, and gives Alice's key for it.
  auto root = root_with(alice, Role::approver);
  root.keys.back().id = carol;
  EXPECT_EQ(judge_one(open_signer("gpg:" + alice, std::nullopt)->sign(k_document), root).status,
            SignatureStatus::unknown_key);
}

TEST_F(GpgTest, RefusesTextSignaturesWeakHashesAndInlineMessages) {
  const auto root = root_with(alice, Role::approver);
  const std::string document(k_document);
  const auto text = gpg({"--local-user", alice, "--armor", "--textmode", "--detach-sign"}, document);
  EXPECT_EQ(judge_one(text, root).status, SignatureStatus::invalid);
  const auto weak = gpg({"--local-user", alice, "--armor", "--digest-algo", "SHA1", "--detach-sign"}, document);
  EXPECT_NE(judge_one(weak, root).status, SignatureStatus::valid);
  const auto inline_message = gpg({"--local-user", alice, "--armor", "--sign"}, document);
  EXPECT_EQ(judge_one(inline_message, root).status, SignatureStatus::malformed);
  const auto two = gpg({"--local-user", alice, "--local-user", carol, "--armor", "--detach-sign"}, document);
  EXPECT_EQ(judge_one(two, root).status, SignatureStatus::malformed);
}

TEST_F(GpgTest, RefusesAKeyThatRevokedItself) {
  const auto dora = make_key("Dora <dora@example.invalid>", "ed25519");
  const auto signature = open_signer("gpg:" + dora, std::nullopt)->sign(k_document);
  auto certificate = read_file(home->path() / "openpgp-revocs.d" / (dora + ".rev"), 1u << 16);
  certificate.erase(certificate.find(":-----BEGIN"), 1);
  gpg({"--import"}, certificate);
  EXPECT_EQ(judge_one(signature, root_with(dora, Role::approver)).status, SignatureStatus::revoked_key);
}

TEST_F(GpgTest, KnowsASubkeyByItsPrimaryKey) {
  const auto frank = make_key("Frank <frank@example.invalid>", "ed25519");
  gpg({"--quick-add-key", frank, "ed25519", "sign", "never"});
  const auto judged =
      judge_one(open_signer("gpg:" + frank, std::nullopt)->sign(k_document), root_with(frank, Role::approver));
  EXPECT_EQ(judged.status, SignatureStatus::valid) << judged.message;
  EXPECT_EQ(judged.key_id, frank);
}

TEST_F(GpgTest, SaysWhenThereIsNoSuchKey) {
  EXPECT_EQ(code_of([] { open_signer("gpg:" + std::string(40, '0'), std::nullopt); }), ErrorCode::key_missing);
  EXPECT_EQ(code_of([] { open_signer("gpg:alice", std::nullopt); }), ErrorCode::usage);
  EXPECT_EQ(code_of([] { export_gpg_key(std::string(40, '0')); }), ErrorCode::key_missing);
}

TEST(GpgStatus, NeedsGoodsigAndValidsigTogether) {
  const std::string fingerprint(40, 'A');
  const auto validsig = "[GNUPG:] VALIDSIG " + fingerprint + " 2026-11-23 1 0 4 0 22 8 00 " + fingerprint + "\n";
  const std::string good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG AAAA x\n";
  EXPECT_EQ(judge_gpg_status(good + validsig).status, SignatureStatus::valid);
  EXPECT_EQ(judge_gpg_status(validsig).status, SignatureStatus::invalid);
  EXPECT_EQ(judge_gpg_status(good).status, SignatureStatus::invalid);
  EXPECT_EQ(judge_gpg_status("").status, SignatureStatus::invalid);
  EXPECT_EQ(judge_gpg_status("[GNUPG:] NEWSIG\n" + good + validsig).status, SignatureStatus::malformed);
  EXPECT_EQ(judge_gpg_status("[GNUPG:] EXPSIG AAAA x\n" + validsig).status, SignatureStatus::invalid);
  EXPECT_EQ(judge_gpg_status(good + validsig + "[GNUPG:] BADSIG AAAA x\n").status, SignatureStatus::invalid);
  EXPECT_EQ(judge_gpg_status("[GNUPG:] GOODSIG\n[GNUPG:] VALIDSIG\n").status, SignatureStatus::invalid);
}

TEST(OpenPgp, DearmorsStrictly) {
  const std::string block = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n";
  EXPECT_EQ(dearmor(block, "SIGNATURE", 100), Bytes{0x89});
  EXPECT_EQ(code_of([&] { dearmor(block, "PUBLIC KEY BLOCK", 100); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { dearmor(block + block, "SIGNATURE", 100); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { dearmor("x" + block, "SIGNATURE", 100); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { dearmor("", "SIGNATURE", 100); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] {
              dearmor("-----BEGIN PGP SIGNATURE-----\n\niQ==\n=AAAA\n-----END PGP SIGNATURE-----", "SIGNATURE", 100);
            }),
            ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { dearmor(std::string(10'000, 'A'), "SIGNATURE", 100); }), ErrorCode::limit_exceeded);
}

TEST(OpenPgp, KnowsOneSignaturePacket) {
  EXPECT_TRUE(is_one_signature_packet({0x88, 1, 0}));      // old format, one byte of length
  EXPECT_TRUE(is_one_signature_packet({0x89, 0, 1, 0}));   // two bytes
  EXPECT_TRUE(is_one_signature_packet({0xC2, 1, 0}));      // new format
  EXPECT_FALSE(is_one_signature_packet({0x88, 1, 0, 0}));  // something follows
  EXPECT_FALSE(is_one_signature_packet({0x88, 2, 0}));     // cut
  EXPECT_FALSE(is_one_signature_packet({0x8B, 0}));        // indeterminate length
  EXPECT_FALSE(is_one_signature_packet({0xC2, 0xE0, 0}));  // partial length
  EXPECT_FALSE(is_one_signature_packet({0xCB, 1, 0}));     // literal data
  EXPECT_FALSE(is_one_signature_packet({}));
  EXPECT_FALSE(is_one_signature_packet({0xFF}));
}

}  // namespace
}  // namespace liftlock
