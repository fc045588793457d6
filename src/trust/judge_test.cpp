#include "crypto/hash.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_document = "{\"a\": \"bundle.json\"}\n";

SignatureStatus status_of(const SignatureFile& file, const TrustRoot& root) {
  return judge(k_document, {file}, root, k_now).at(0).status;
}

std::optional<ErrorCode> require(const std::vector<SignatureFile>& files, const TrustRoot& root) {
  return code_of([&] { require_thresholds(judge(k_document, files, root, k_now), root); });
}

TEST(Judge, AcceptsAValidSignatureAndSaysWhose) {
  const auto root = sample_root();
  const auto judged = judge(k_document, {signature_by("bob", "builder", k_document)}, root, k_now);
  ASSERT_EQ(judged.size(), 1u);
  EXPECT_EQ(judged[0].status, SignatureStatus::valid) << judged[0].message;
  EXPECT_EQ(judged[0].owner, "bob");
  EXPECT_EQ(judged[0].role, Role::builder);
  EXPECT_EQ(judged[0].key_id, key_of("bob").public_key().id());
  EXPECT_NO_THROW(require_thresholds(judged, root));
}

TEST(Judge, RefusesASignatureOverOtherBytes) {
  const auto file = signature_by("bob", "builder", "other bytes");
  EXPECT_EQ(status_of(file, sample_root()), SignatureStatus::invalid);
  EXPECT_EQ(require({file}, sample_root()), ErrorCode::signature_invalid);
}

TEST(Judge, RefusesARightDigestWithAnotherMessagesSignature) {
  auto bundle = parse_sigstore_bundle(signature_by("bob", "builder", "other bytes").bytes);
  bundle.digest = sha256(k_document);
  const SignatureFile file{"builder.x.sigstore.json", write_sigstore_bundle(bundle)};
  EXPECT_EQ(status_of(file, sample_root()), SignatureStatus::invalid);
}

TEST(Judge, RefusesAWrongDigestBesideAGoodSignature) {
  auto bundle = parse_sigstore_bundle(signature_by("bob", "builder", k_document).bytes);
  bundle.digest = sha256("else");
  EXPECT_EQ(status_of({"builder.x.sigstore.json", write_sigstore_bundle(bundle)}, sample_root()),
            SignatureStatus::invalid);
}

TEST(Judge, RefusesARevokedKeyEvenWhenOthersSuffice) {
  auto root = sample_root();
  find_owner(root, "eve").revoked_since = k_now + std::chrono::days(9);  // whatever the date says
  find_owner(root, "eve").revoked_reason = "left";
  const auto good = signature_by("bob", "builder", k_document), revoked = signature_by("eve", "approver", k_document);
  EXPECT_EQ(status_of(revoked, root), SignatureStatus::revoked_key);
  EXPECT_EQ(require({good, revoked}, root), ErrorCode::key_revoked);
}

TEST(Judge, RefusesAnExpiredKey) {
  auto root = sample_root();
  find_owner(root, "bob").expires = k_now;
  const auto file = signature_by("bob", "builder", k_document);
  EXPECT_EQ(status_of(file, root), SignatureStatus::expired_key);
  EXPECT_EQ(require({file}, root), ErrorCode::key_expired);
  find_owner(root, "bob").expires = k_now + std::chrono::seconds(1);
  EXPECT_EQ(require({file}, root), std::nullopt);
}

TEST(Judge, RefusesEverythingUnderAnExpiredRoot) {
  auto root = sample_root();
  root.expires = k_now;
  EXPECT_EQ(require({signature_by("bob", "builder", k_document)}, root), ErrorCode::key_expired);
}

TEST(Judge, DoesNotCountAnUnlistedKey) {
  const auto stranger = signature_by("mallory", "builder", k_document);
  EXPECT_EQ(status_of(stranger, sample_root()), SignatureStatus::unknown_key);
  EXPECT_EQ(require({stranger}, sample_root()), ErrorCode::key_unknown);
  EXPECT_EQ(require({stranger, signature_by("bob", "builder", k_document)}, sample_root()), std::nullopt);
}

TEST(Judge, SaysThatAKeyRetired) {
  const auto first = sample_root();
  auto second = next(first);
  std::erase_if(second.keys, [](const auto& key) { return key.owner == "bob"; });
  second.keys.push_back(listed(key_of("bill"), Role::builder, "bill"));
  auto third = next(second);
  const auto root = advance(first, {signed_statement(second, {"root1"}), signed_statement(third, {"root1"})}, k_now);
  const auto old = signature_by("bob", "builder", k_document);
  const auto judged = judge(k_document, {old, signature_by("bill", "builder", k_document)}, root, k_now);
  EXPECT_EQ(judged[0].status, SignatureStatus::retired_key);
  EXPECT_EQ(judged[0].owner, "bob");
  EXPECT_EQ(judged[0].role, std::nullopt) << "it counts for no role";
  EXPECT_NO_THROW(require_thresholds(judged, root));
  EXPECT_EQ(require({old}, root), ErrorCode::key_retired);
  EXPECT_EQ(status_of(signature_by("bob", "builder", "other bytes"), root), SignatureStatus::unknown_key);
}

TEST(Judge, ARevokedKeyThatIsListedNoLongerStaysRevoked) {
  auto first = sample_root();
  find_owner(first, "bob").revoked_since = k_now;
  auto second = next(first);
  std::erase_if(second.keys, [](const auto& key) { return key.owner == "bob"; });
  second.keys.push_back(listed(key_of("bill"), Role::builder, "bill"));
  const auto root = advance(first, {signed_statement(second, {"root1"})}, k_now);
  const auto old = signature_by("bob", "builder", k_document);
  EXPECT_EQ(status_of(old, root), SignatureStatus::revoked_key);
  EXPECT_EQ(require({old, signature_by("bill", "builder", k_document)}, root), ErrorCode::key_revoked);
}

TEST(Judge, RefusesAHintThatLies) {
  auto bundle = parse_sigstore_bundle(signature_by("mallory", "builder", k_document).bytes);
  bundle.hint = sigstore_hint(key_of("bob").public_key());
  EXPECT_EQ(status_of({"builder.x.sigstore.json", write_sigstore_bundle(bundle)}, sample_root()),
            SignatureStatus::invalid);
}

TEST(Judge, FindsTheKeyWithoutAHintAndByOtherHints) {
  auto bundle = parse_sigstore_bundle(signature_by("bob", "builder", k_document).bytes);
  const auto& bob = key_of("bob").public_key();
  for (const auto& hint : {std::string(), bob.id(), sha256(bob.pem()).hex()}) {
    bundle.hint = hint;
    EXPECT_EQ(status_of({"x.sigstore.json", write_sigstore_bundle(bundle)}, sample_root()), SignatureStatus::valid)
        << hint;
  }
  auto stranger = parse_sigstore_bundle(signature_by("mallory", "builder", k_document).bytes);
  stranger.hint.clear();
  EXPECT_EQ(status_of({"x.sigstore.json", write_sigstore_bundle(stranger)}, sample_root()),
            SignatureStatus::unknown_key);
}

TEST(Judge, RefusesAWrongRole) {
  // An approver's key in a file that claims to be the builder's.
  EXPECT_EQ(status_of(signature_by("ada", "builder", k_document), sample_root()), SignatureStatus::wrong_role);
  EXPECT_EQ(require({signature_by("ada", "builder", k_document)}, sample_root()), ErrorCode::key_role);
  // Root and ingest keys do not speak for bundles at all; the ingest key does for receipts.
  EXPECT_EQ(status_of(signature_by("root1", "root", k_document), sample_root()), SignatureStatus::wrong_role);
  EXPECT_EQ(status_of(signature_by("ian", "ingest", k_document), sample_root()), SignatureStatus::wrong_role);
  const auto receipt =
      judge(k_document, {signature_by("ian", "ingest", k_document)}, sample_root(), k_now, {Role::ingest});
  EXPECT_EQ(receipt.at(0).status, SignatureStatus::valid);
}

TEST(Judge, RefusesAFileThatNamesAnotherKey) {
  auto file = signature_by("bob", "builder", k_document);
  for (const auto* name : {"builder.sigstore.json", "builder.of-bob.sigstore.json", "bob.sigstore.json"}) {
    EXPECT_EQ(status_of({name, file.bytes}, sample_root()), SignatureStatus::valid) << name << " claims no key";
  }
  file.name = signature_by("eve", "builder", k_document).name;
  EXPECT_EQ(status_of(file, sample_root()), SignatureStatus::malformed);
  EXPECT_EQ(require({file}, sample_root()), ErrorCode::signature_invalid);
}

TEST(Judge, CountsDistinctKeysOnly) {
  auto root = sample_root();
  root.thresholds[Role::approver] = 2;
  const auto bob = signature_by("bob", "builder", k_document), ada = signature_by("ada", "approver", k_document);
  auto again = signature_by("ada", "approver", k_document);
  again.name = "approver.second.sigstore.json";
  EXPECT_EQ(require({bob, ada}, root), ErrorCode::unsigned_document);
  EXPECT_EQ(require({bob, ada, again}, root), ErrorCode::unsigned_document);
  EXPECT_EQ(require({bob, ada, signature_by("eve", "approver", k_document)}, root), std::nullopt);
}

TEST(Judge, WantsEveryRoleThatHasAThreshold) {
  auto root = sample_root();
  root.thresholds[Role::scanner] = 1;
  EXPECT_EQ(require({signature_by("bob", "builder", k_document)}, root), ErrorCode::unsigned_document);
  EXPECT_EQ(require({}, root), ErrorCode::unsigned_document);
  EXPECT_EQ(require({signature_by("bob", "builder", k_document), signature_by("sam", "scanner", k_document)}, root),
            std::nullopt);
  // A kind of document for which no role has a threshold is not free for all.
  EXPECT_EQ(code_of([&] { require_thresholds({}, root, {Role::ingest}); }), ErrorCode::unsigned_document);
}

TEST(Judge, CallsRubbishMalformed) {
  const auto root = sample_root();
  auto duplicate = signature_by("bob", "builder", k_document);
  duplicate.bytes.insert(duplicate.bytes.find('{') + 1, R"("mediaType":"x",)");
  EXPECT_EQ(status_of(duplicate, root), SignatureStatus::malformed);
  EXPECT_EQ(status_of({"builder.sigstore.json", "{}"}, root), SignatureStatus::malformed);
  EXPECT_EQ(status_of({"builder.sigstore.json", std::string(1u << 20, '{')}, root), SignatureStatus::malformed);
  EXPECT_EQ(status_of({"builder.sig", "x"}, root), SignatureStatus::malformed);
  EXPECT_EQ(require({signature_by("bob", "builder", k_document), {"builder.sig", "x"}}, root),
            ErrorCode::signature_invalid);
  const std::vector<SignatureFile> many(300, {"builder.sig", "x"});
  EXPECT_EQ(judge(k_document, many, root, k_now).size(), 300u);
}

}  // namespace
}  // namespace liftlock
