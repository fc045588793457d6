#include "trust/sigstore_bundle.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr JsonLimits k_limits{256u << 10, 24};
constexpr std::string_view k_media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view k_where = "sigstore bundle";
constexpr std::size_t k_max_signature = 512;
constexpr std::size_t k_max_hint = 1024;

Bytes base64_member(const Json& object, std::string_view key, std::size_t max_size) {
  const auto bytes = decode_base64(string_member(object, key, k_where));
  if (!bytes || bytes->empty() || bytes->size() > max_size) {
    fail(ErrorCode::schema_violation, "{}: '{}' must be base64 of 1 to {} bytes", k_where, key, max_size);
  }
  return *bytes;
}

}  // namespace

SigstoreBundle parse_sigstore_bundle(std::string_view text) {
  const auto json = parse_json(text, k_limits);
  only_members(json, {"mediaType", "verificationMaterial", "messageSignature"}, k_where);
  if (string_member(json, "mediaType", k_where) != k_media_type) {
    fail(ErrorCode::schema_violation, "{}: 'mediaType' must be {}", k_where, k_media_type);
  }
  // Log entries and timestamps may stand there; they are not believed, so they are not read either.
  const auto& material = object_member(json, "verificationMaterial", k_where);
  only_members(material, {"publicKey", "tlogEntries", "timestampVerificationData"}, k_where);
  const auto& key = object_member(material, "publicKey", k_where);
  only_members(key, {"hint"}, k_where);
  auto hint = string_member_or(key, "hint", "", k_where);
  if (hint.size() > k_max_hint) fail(ErrorCode::schema_violation, "{}: 'hint' is longer than {}", k_where, k_max_hint);

  const auto& message = object_member(json, "messageSignature", k_where);
  only_members(message, {"messageDigest", "signature"}, k_where);
  const auto& digest = object_member(message, "messageDigest", k_where);
  only_members(digest, {"algorithm", "digest"}, k_where);
  if (string_member(digest, "algorithm", k_where) != "SHA2_256") {
    fail(ErrorCode::schema_violation, "{}: 'algorithm' must be SHA2_256", k_where);
  }
  const auto digest_bytes = base64_member(digest, "digest", 32);
  if (digest_bytes.size() != 32) fail(ErrorCode::schema_violation, "{}: 'digest' must be 32 bytes", k_where);
  return {std::move(hint), Digest(DigestAlgorithm::sha256, digest_bytes),
          base64_member(message, "signature", k_max_signature)};
}

std::string write_sigstore_bundle(const SigstoreBundle& bundle) {
  return dump_json({{"mediaType", k_media_type},
                    {"verificationMaterial", {{"publicKey", {{"hint", bundle.hint}}}}},
                    {"messageSignature",
                     {{"messageDigest", {{"algorithm", "SHA2_256"}, {"digest", encode_base64(bundle.digest.bytes())}}},
                      {"signature", encode_base64(bundle.signature)}}}});
}

std::string sign_sigstore_bundle(const PrivateKey& key, std::string_view message) {
  return write_sigstore_bundle({sigstore_hint(key.public_key()), sha256(message), key.sign(message)});
}

std::string sigstore_hint(const PublicKey& key) {
  return encode_base64(sha256(key.der()).bytes());
}

bool hint_names(std::string_view hint, const PublicKey& key) {
  return hint == sigstore_hint(key) || hint == key.id() || hint == sha256(key.pem()).hex();
}

}  // namespace liftlock
