#include "trust/sigstore_bundle.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

std::optional<ErrorCode> parse_changed(const std::function<void(Json&)>& change) {
  auto json = parse_json(sign_sigstore_bundle(key_of("bob"), "m"));
  change(json);
  return code_of([&] { parse_sigstore_bundle(json.dump()); });
}

TEST(SigstoreBundle, SurvivesWritingAndReading) {
  const auto bundle = parse_sigstore_bundle(sign_sigstore_bundle(key_of("bob"), "message"));
  EXPECT_EQ(bundle.digest, sha256("message"));
  EXPECT_TRUE(hint_names(bundle.hint, key_of("bob").public_key()));
  EXPECT_FALSE(hint_names(bundle.hint, key_of("eve").public_key()));
  EXPECT_TRUE(key_of("bob").public_key().verify("message", bundle.signature));
}

TEST(SigstoreBundle, ToleratesLogEntriesThatItDoesNotBelieve) {
  EXPECT_EQ(parse_changed([](Json& json) {
              json["verificationMaterial"]["tlogEntries"] = {{{"logIndex", "1"}}};
              json["verificationMaterial"]["timestampVerificationData"] = Json::object();
            }),
            std::nullopt);
}

TEST(SigstoreBundle, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(parse_changed([](Json& json) { json["dsseEnvelope"] = Json::object(); }), ErrorCode::schema_violation);
  EXPECT_EQ(
      parse_changed([](Json& json) { json["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"; }),
      ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) {
              json["verificationMaterial"] = {{"certificate", {{"rawBytes", "AA=="}}}};
            }),
            ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json["messageSignature"]["messageDigest"]["algorithm"] = "SHA2_512"; }),
            ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json["messageSignature"]["messageDigest"]["digest"] = "AAAA"; }),
            ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json["messageSignature"]["signature"] = ""; }), ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json["messageSignature"]["signature"] = std::string(4000, 'A'); }),
            ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json.erase("messageSignature"); }), ErrorCode::schema_violation);
}

TEST(SigstoreBundle, RefusesDuplicateKeysAndGiants) {
  auto text = sign_sigstore_bundle(key_of("bob"), "m");
  text.insert(text.find('{') + 1, R"("mediaType":"x",)");
  EXPECT_EQ(code_of([&] { parse_sigstore_bundle(text); }), ErrorCode::json_duplicate_key);
  EXPECT_EQ(code_of([] { parse_sigstore_bundle(std::string(300u << 10, ' ')); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([] { parse_sigstore_bundle(std::string(50'000, '[')); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([] { parse_sigstore_bundle(""); }), ErrorCode::json_invalid);
}

}  // namespace
}  // namespace liftlock
