// Private and public keys, and signatures over messages: ECDSA P-256 and P-384 (SHA-256, DER) and Ed25519 (RFC 8032,
// pure), through OpenSSL 3's EVP. P-384 signs with SHA-256 because cosign rejects P-384 with SHA-384. Format:
// docs/formats/trust.md.
//
// Immutable values that share their OpenSSL object; safe to use from several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.hpp"

struct evp_pkey_st;
struct ossl_lib_ctx_st;

namespace liftlock {

enum class KeyAlgorithm : std::uint8_t { ecdsa_p256, ecdsa_p384, ed25519 };
/// "ecdsa-p256", "ecdsa-p384", "ed25519"
std::string_view name(KeyAlgorithm algorithm);
std::optional<KeyAlgorithm> parse_key_algorithm(std::string_view text);

/// Where OpenSSL takes algorithms from: a library context and a property query. Keys hold their context alive.
class CryptoContext {
 public:
  /// OpenSSL's default context, which obeys openssl.cnf (default_properties = fips=yes demands FIPS for everything).
  static const CryptoContext& standard();
  /// A context of its own with exactly these providers ("fips", "base"), where every algorithm must match the query
  /// ("fips=yes"). @throws Error{algorithm_unavailable} when a provider cannot be loaded
  CryptoContext(const std::vector<std::string>& providers, std::string properties);

  ossl_lib_ctx_st* library() const { return m_library.get(); }
  /// nullptr when there is no query.
  const char* properties() const { return m_properties.empty() ? nullptr : m_properties.c_str(); }

 private:
  CryptoContext() = default;
  std::shared_ptr<ossl_lib_ctx_st> m_library;
  std::string m_properties;
};

class PublicKey {
 public:
  /// One "PUBLIC KEY" block (SubjectPublicKeyInfo, RFC 5280). Only the three algorithms, named curves and uncompressed
  /// points, so that a key has one encoding and one id.
  /// @throws Error{schema_violation} when it is not that, Error{limit_exceeded} past 4 KiB
  static PublicKey from_pem(std::string_view pem, const CryptoContext& context = CryptoContext::standard());
  static PublicKey from_der(std::span<const std::uint8_t> der,
                            const CryptoContext& context = CryptoContext::standard());

  KeyAlgorithm algorithm() const { return m_algorithm; }
  const Bytes& der() const { return m_der; }
  std::string pem() const;
  /// SHA-256 in lower-case hex of der().
  std::string id() const;
  /// Does the signature fit these bytes? False for any malformed signature. @throws Error{algorithm_unavailable}
  bool verify(std::string_view message, std::span<const std::uint8_t> signature) const;

 private:
  friend class PrivateKey;
  PublicKey(std::shared_ptr<evp_pkey_st> key, KeyAlgorithm algorithm, Bytes der, const CryptoContext& context)
      : m_key(std::move(key)), m_algorithm(algorithm), m_der(std::move(der)), m_context(context) {}
  std::shared_ptr<evp_pkey_st> m_key;
  KeyAlgorithm m_algorithm;
  Bytes m_der;
  CryptoContext m_context;
};

class PrivateKey {
 public:
  /// @throws Error{algorithm_unavailable}
  static PrivateKey generate(KeyAlgorithm algorithm, const CryptoContext& context = CryptoContext::standard());
  /// PKCS#8 (plain or encrypted), and the older PEM forms that OpenSSL reads.
  /// @throws Error{passphrase} when it is encrypted and the passphrase is missing or wrong, Error{schema_violation}
  static PrivateKey from_pem(std::string_view pem, const std::optional<std::string>& passphrase = std::nullopt,
                             const CryptoContext& context = CryptoContext::standard());
  /// @throws Error{key_missing} when there is no such file, and what from_pem throws
  static PrivateKey load(const std::filesystem::path& file, const std::optional<std::string>& passphrase = std::nullopt,
                         const CryptoContext& context = CryptoContext::standard());

  /// PKCS#8; with a passphrase PBES2: PBKDF2-HMAC-SHA-256 with 600,000 rounds, AES-256-CBC.
  std::string to_pem(const std::optional<std::string>& passphrase = std::nullopt) const;
  /// Writes to_pem() with mode 0600. @throws Error{immutable} rather than overwrite a file
  void save(const std::filesystem::path& file, const std::optional<std::string>& passphrase = std::nullopt) const;

  KeyAlgorithm algorithm() const { return m_public.algorithm(); }
  const PublicKey& public_key() const { return m_public; }
  Bytes sign(std::string_view message) const;

 private:
  explicit PrivateKey(PublicKey key) : m_public(std::move(key)) {}
  static PrivateKey adopt(std::shared_ptr<evp_pkey_st> key, const CryptoContext& context);
  PublicKey m_public;  ///< its m_key holds the private half too
};

/// Is this PEM text a private key that needs a passphrase?
bool is_encrypted_pem(std::string_view pem);
/// Is this PEM text a private key at all?
bool is_private_pem(std::string_view pem);

}  // namespace liftlock
