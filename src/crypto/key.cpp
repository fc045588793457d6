#include "crypto/key.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_public_pem = 4096;
constexpr std::uint64_t k_max_private_pem = 64u << 10;
constexpr int k_rounds = 600'000;  // OWASP's figure for PBKDF2-HMAC-SHA-256
constexpr std::string_view k_public_begin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view k_public_end = "-----END PUBLIC KEY-----";

template <typename T, void (*F)(T*)>
struct Freer {
  void operator()(T* object) const { F(object); }
};
void free_bio(BIO* bio) {
  BIO_free_all(bio);
}
using Bio = std::unique_ptr<BIO, Freer<BIO, free_bio>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using MdContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX, EVP_MD_CTX_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freer<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>>;
using Algorithm = std::unique_ptr<X509_ALGOR, Freer<X509_ALGOR, X509_ALGOR_free>>;
using Encrypted = std::unique_ptr<X509_SIG, Freer<X509_SIG, X509_SIG_free>>;

struct AlgorithmFacts {
  KeyAlgorithm algorithm;
  std::string_view text;
  const char* type;
  const char* group;      // nullptr for Ed25519
  std::size_t spki_size;  // of the one encoding that is accepted
};
constexpr std::array k_algorithms{
    AlgorithmFacts{KeyAlgorithm::ecdsa_p256, "ecdsa-p256", "EC", "prime256v1", 91},
    AlgorithmFacts{KeyAlgorithm::ecdsa_p384, "ecdsa-p384", "EC", "secp384r1", 120},
    AlgorithmFacts{KeyAlgorithm::ed25519, "ed25519", "ED25519", nullptr, 44},
};

const AlgorithmFacts& facts(KeyAlgorithm algorithm) {
  return *std::find_if(k_algorithms.begin(), k_algorithms.end(),
                       [&](const auto& f) { return f.algorithm == algorithm; });
}

std::string openssl_reason() {
  std::string reason = "unknown reason";
  if (const auto code = ERR_peek_last_error(); code != 0) {
    if (const char* text = ERR_reason_error_string(code)) reason = text;
  }
  ERR_clear_error();
  return reason;
}

std::shared_ptr<EVP_PKEY> own(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

std::optional<KeyAlgorithm> algorithm_of(const EVP_PKEY* key) {
  for (const auto& f : k_algorithms) {
    if (EVP_PKEY_is_a(key, f.type) != 1) continue;
    if (f.group == nullptr) return f.algorithm;
    std::array<char, 64> group{};
    std::size_t size = 0;
    if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), &size) == 1 &&
        std::string_view(group.data(), size) == f.group) {
      return f.algorithm;
    }
  }
  return std::nullopt;
}

Bytes encode_spki(const EVP_PKEY* key) {
  unsigned char* out = nullptr;
  const int size = i2d_PUBKEY(key, &out);
  if (size <= 0) fail(ErrorCode::internal, "encoding a public key: {}", openssl_reason());
  const Bytes der(out, out + size);
  OPENSSL_free(out);
  return der;
}

/// What OpenSSL asks when it meets an encrypted key.
struct Asked {
  const std::optional<std::string>& passphrase;
  bool asked = false;
};
int give_passphrase(char* buffer, int size, int /*writing*/, void* state) {
  auto& asked = *static_cast<Asked*>(state);
  asked.asked = true;
  if (!asked.passphrase || asked.passphrase->size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, asked.passphrase->data(), asked.passphrase->size());
  return static_cast<int>(asked.passphrase->size());
}

Bio memory_bio(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string take(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  OPENSSL_cleanse(data, static_cast<std::size_t>(size));
  return text;
}

/// The digest that goes with the key: none for Ed25519, which hashes by itself.
const char* digest_name(KeyAlgorithm algorithm) {
  return algorithm == KeyAlgorithm::ed25519 ? nullptr : "SHA256";
}

/// A library context keeps the providers that were loaded into it alive until each is unloaded.
struct Library {
  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    for (auto* const provider : providers) OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(context);
  }
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  std::vector<OSSL_PROVIDER*> providers;
};

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string_view name(KeyAlgorithm algorithm) {
  return facts(algorithm).text;
}

std::optional<KeyAlgorithm> parse_key_algorithm(std::string_view text) {
  for (const auto& f : k_algorithms) {
    if (f.text == text) return f.algorithm;
  }
  if (text == "p256") return KeyAlgorithm::ecdsa_p256;
  if (text == "p384") return KeyAlgorithm::ecdsa_p384;
  return std::nullopt;
}

const CryptoContext& CryptoContext::standard() {
  static const CryptoContext context;
  return context;
}

CryptoContext::CryptoContext(const std::vector<std::string>& providers, std::string properties)
    : m_properties(std::move(properties)) {
  const auto library = std::make_shared<Library>();
  m_library = std::shared_ptr<OSSL_LIB_CTX>(library, library->context);
  for (const auto& provider : providers) {
    auto* const loaded = OSSL_PROVIDER_load(library->context, provider.c_str());
    if (loaded == nullptr) {
      fail(ErrorCode::algorithm_unavailable, "OpenSSL cannot load the provider '{}': {}", provider, openssl_reason());
    }
    library->providers.push_back(loaded);
  }
}

PublicKey PublicKey::from_der(std::span<const std::uint8_t> der, const CryptoContext& context) {
  const unsigned char* at = der.data();
  auto key = own(d2i_PUBKEY_ex(nullptr, &at, static_cast<long>(der.size()), context.library(), context.properties()));
  if (!key || at != der.data() + der.size()) {
    fail(ErrorCode::schema_violation, "not a public key (SubjectPublicKeyInfo): {}", openssl_reason());
  }
  const auto algorithm = algorithm_of(key.get());
  if (!algorithm) fail(ErrorCode::schema_violation, "a public key that is neither P-256, P-384 nor Ed25519");
  auto encoded = encode_spki(key.get());
  if (encoded.size() != facts(*algorithm).spki_size ||
      !std::equal(der.begin(), der.end(), encoded.begin(), encoded.end())) {
    fail(ErrorCode::schema_violation, "a public key in an unusual encoding; write it with a named curve, uncompressed");
  }
  return PublicKey(std::move(key), *algorithm, std::move(encoded), context);
}

PublicKey PublicKey::from_pem(std::string_view pem, const CryptoContext& context) {
  if (pem.size() > k_max_public_pem) fail(ErrorCode::limit_exceeded, "a public key of {} bytes", pem.size());
  auto text = trim(pem);
  if (!text.starts_with(k_public_begin) || !text.ends_with(k_public_end)) {
    fail(ErrorCode::schema_violation, "not a PEM public key: '{}' … '{}' is expected", k_public_begin, k_public_end);
  }
  text.remove_prefix(k_public_begin.size());
  text.remove_suffix(k_public_end.size());
  std::string base64;
  for (const char c : text) {
    if (c != '\n' && c != '\r') base64 += c;
  }
  const auto der = decode_base64(base64);
  if (!der || der->empty()) fail(ErrorCode::schema_violation, "the PEM of a public key is not base64");
  return from_der(*der, context);
}

std::string PublicKey::pem() const {
  const auto base64 = encode_base64(m_der);
  std::string out(k_public_begin);
  out += '\n';
  for (std::size_t i = 0; i < base64.size(); i += 64) out += base64.substr(i, 64) + '\n';
  return out + std::string(k_public_end) + '\n';
}

std::string PublicKey::id() const {
  return sha256(m_der).hex();
}

bool PublicKey::verify(std::string_view message, std::span<const std::uint8_t> signature) const {
  const MdContext md(EVP_MD_CTX_new());
  if (EVP_DigestVerifyInit_ex(md.get(), nullptr, digest_name(m_algorithm), m_context.library(), m_context.properties(),
                              m_key.get(), nullptr) != 1) {
    fail(ErrorCode::algorithm_unavailable, "OpenSSL cannot verify {}: {}", name(m_algorithm), openssl_reason());
  }
  const int result = EVP_DigestVerify(md.get(), signature.data(), signature.size(), raw(message), message.size());
  ERR_clear_error();
  return result == 1;
}

PrivateKey PrivateKey::adopt(std::shared_ptr<evp_pkey_st> key, const CryptoContext& context) {
  const auto algorithm = algorithm_of(key.get());
  if (!algorithm) fail(ErrorCode::schema_violation, "a private key that is neither P-256, P-384 nor Ed25519");
  // Through DER, so that the public half has the one accepted encoding whatever the file said about points.
  const auto spki = encode_spki(key.get());
  auto checked = PublicKey::from_der(spki, context);
  return PrivateKey(PublicKey(std::move(key), *algorithm, checked.m_der, context));
}

PrivateKey PrivateKey::generate(KeyAlgorithm algorithm, const CryptoContext& context) {
  const auto& f = facts(algorithm);
  const PkeyContext generator(EVP_PKEY_CTX_new_from_name(context.library(), f.type, context.properties()));
  EVP_PKEY* key = nullptr;
  const bool made = generator && EVP_PKEY_keygen_init(generator.get()) == 1 &&
                    (f.group == nullptr || EVP_PKEY_CTX_set_group_name(generator.get(), f.group) == 1) &&
                    EVP_PKEY_generate(generator.get(), &key) == 1;
  if (!made) fail(ErrorCode::algorithm_unavailable, "OpenSSL cannot make a key of {}: {}", f.text, openssl_reason());
  return adopt(own(key), context);
}

PrivateKey PrivateKey::from_pem(std::string_view pem, const std::optional<std::string>& passphrase,
                                const CryptoContext& context) {
  if (pem.size() > k_max_private_pem) fail(ErrorCode::limit_exceeded, "a private key of {} bytes", pem.size());
  const auto bio = memory_bio(pem);
  Asked asked{passphrase};
  auto key = own(
      PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, give_passphrase, &asked, context.library(), context.properties()));
  if (!key && asked.asked) {
    ERR_clear_error();
    fail(ErrorCode::passphrase, "the private key is encrypted and the passphrase is {}",
         passphrase ? "wrong" : "missing");
  }
  if (!key) {
    throw Error(
        ErrorCode::schema_violation, fmt::format("not a private key in PEM: {}", openssl_reason()),
        "name the file of a private key, as `liftlock trust keygen` writes it; FILE.pub beside it is the public one");
  }
  return adopt(std::move(key), context);
}

PrivateKey PrivateKey::load(const std::filesystem::path& file, const std::optional<std::string>& passphrase,
                            const CryptoContext& context) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) fail(ErrorCode::key_missing, "there is no private key at '{}'", file.string());
  auto pem = read_file(file, k_max_private_pem);
  auto key = with_context("while reading the private key " + file.string(),
                          [&] { return from_pem(pem, passphrase, context); });
  OPENSSL_cleanse(pem.data(), pem.size());
  return key;
}

std::string PrivateKey::to_pem(const std::optional<std::string>& passphrase) const {
  const Bio out(BIO_new(BIO_s_mem()));
  const auto& key = m_public.m_key;
  const Pkcs8 plain(EVP_PKEY2PKCS8(key.get()));
  if (!plain) fail(ErrorCode::internal, "encoding a private key: {}", openssl_reason());
  bool written = false;
  if (!passphrase) {
    written = PEM_write_bio_PKCS8_PRIV_KEY_INFO(out.get(), plain.get()) == 1;
  } else {
    auto* const library = m_public.m_context.library();
    Algorithm scheme(
        PKCS5_pbe2_set_iv_ex(EVP_aes_256_cbc(), k_rounds, nullptr, 0, nullptr, NID_hmacWithSHA256, library));
    Encrypted encrypted(scheme ? PKCS8_set0_pbe_ex(passphrase->data(), static_cast<int>(passphrase->size()),
                                                   plain.get(), scheme.get(), library, m_public.m_context.properties())
                               : nullptr);
    if (encrypted) scheme.release();  // now owned by `encrypted`
    written = encrypted && PEM_write_bio_PKCS8(out.get(), encrypted.get()) == 1;
  }
  if (!written) fail(ErrorCode::algorithm_unavailable, "OpenSSL cannot write the private key: {}", openssl_reason());
  return take(out.get());
}

void PrivateKey::save(const std::filesystem::path& file, const std::optional<std::string>& passphrase) const {
  if (fs::exists(fs::symlink_status(file)))
    fail(ErrorCode::immutable, "'{}' exists; keys are never overwritten", file.string());
  auto pem = to_pem(passphrase);
  write_file_atomically(file, pem, 0600);
  OPENSSL_cleanse(pem.data(), pem.size());
}

Bytes PrivateKey::sign(std::string_view message) const {
  const MdContext md(EVP_MD_CTX_new());
  const auto& context = m_public.m_context;
  std::size_t size = 0;
  Bytes signature;
  bool signed_it = EVP_DigestSignInit_ex(md.get(), nullptr, digest_name(algorithm()), context.library(),
                                         context.properties(), m_public.m_key.get(), nullptr) == 1 &&
                   EVP_DigestSign(md.get(), nullptr, &size, raw(message), message.size()) == 1;
  if (signed_it) {
    signature.resize(size);
    signed_it = EVP_DigestSign(md.get(), signature.data(), &size, raw(message), message.size()) == 1;
  }
  if (!signed_it)
    fail(ErrorCode::algorithm_unavailable, "OpenSSL cannot sign with {}: {}", name(algorithm()), openssl_reason());
  signature.resize(size);
  return signature;
}

bool is_encrypted_pem(std::string_view pem) {
  return is_private_pem(pem) && (pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos ||
                                 pem.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos);
}

bool is_private_pem(std::string_view pem) {
  return pem.find("PRIVATE KEY-----") != std::string_view::npos;
}

}  // namespace liftlock
