#include "crypto/aead.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

/// Fetched once: looking an implementation up costs more than sealing a short text.
const EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  if (cipher == nullptr) fail(ErrorCode::algorithm_unavailable, "OpenSSL has no AES-256-GCM");
  return cipher;
}

/// HMAC-SHA-256 without a key: setting the digest costs more than copying a context that has it.
const EVP_MAC_CTX* keyless_hmac() {
  static EVP_MAC_CTX* const context = [] {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    EVP_MAC_CTX* const made = mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac);
    std::string digest = "SHA256";
    const std::array params = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                               OSSL_PARAM_construct_end()};
    return made != nullptr && EVP_MAC_CTX_set_params(made, params.data()) == 1 ? made : nullptr;
  }();
  if (context == nullptr) fail(ErrorCode::algorithm_unavailable, "OpenSSL has no HMAC-SHA-256");
  return context;
}

std::uint8_t* writable(std::string& text) {
  return reinterpret_cast<std::uint8_t*>(text.data());
}

int length(std::string_view text) {
  if (text.size() > (1u << 30)) fail(ErrorCode::internal, "{} bytes at once for a cipher", text.size());
  return static_cast<int>(text.size());
}

void require(int result, std::string_view what) {
  if (result != 1) fail(ErrorCode::internal, "OpenSSL: {}", what);
}

}  // namespace

SecretKey SecretKey::random() {
  SecretKey key;
  require(RAND_priv_bytes(key.m_bytes.data(), k_size), "no random bytes");
  return key;
}

SecretKey::SecretKey(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != k_size) fail(ErrorCode::internal, "a secret key of {} bytes", bytes.size());
  std::copy(bytes.begin(), bytes.end(), m_bytes.begin());
}

SecretKey::~SecretKey() {
  OPENSSL_cleanse(m_bytes.data(), k_size);
}

SecretKey SecretKey::derive(std::string_view label) const {
  auto tag = hmac_sha256(*this, label);
  SecretKey key(tag);
  OPENSSL_cleanse(tag.data(), tag.size());
  return key;
}

void Aead::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

Aead::Aead(const SecretKey& key) : m_key(key), m_context(EVP_CIPHER_CTX_new()) {
  aes_256_gcm();
}
Aead::~Aead() = default;
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;

void Aead::start(Direction direction, std::uint64_t counter) {
  std::array<std::uint8_t, 12> nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[11 - i] = static_cast<std::uint8_t>(counter >> (8 * i));
  const bool same = m_direction == direction;  // then only the nonce changes: the key schedule is kept
  require(EVP_CipherInit_ex2(m_context.get(), same ? nullptr : aes_256_gcm(), same ? nullptr : m_key.bytes().data(),
                             nonce.data(), direction == Direction::seal ? 1 : 0, nullptr),
          "AES-256-GCM");
  m_direction = direction;
}

std::string Aead::seal(std::uint64_t counter, std::string_view data, std::string_view plain) {
  start(Direction::seal, counter);
  std::string out(plain.size() + k_tag, '\0');
  int done = 0;
  require(EVP_EncryptUpdate(m_context.get(), nullptr, &done, as_bytes(data).data(), length(data)), "additional data");
  require(EVP_EncryptUpdate(m_context.get(), writable(out), &done, as_bytes(plain).data(), length(plain)), "sealing");
  require(EVP_EncryptFinal_ex(m_context.get(), writable(out) + plain.size(), &done), "sealing");
  require(EVP_CIPHER_CTX_ctrl(m_context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(k_tag),
                              writable(out) + plain.size()),
          "the tag");
  return out;
}

std::optional<std::string> Aead::open(std::uint64_t counter, std::string_view data, std::string_view sealed) {
  if (sealed.size() < k_tag) return std::nullopt;
  start(Direction::open, counter);
  const auto body = sealed.substr(0, sealed.size() - k_tag);
  std::string tag(sealed.substr(body.size()));
  std::string out(body.size(), '\0');
  int done = 0;
  require(EVP_DecryptUpdate(m_context.get(), nullptr, &done, as_bytes(data).data(), length(data)), "additional data");
  require(EVP_DecryptUpdate(m_context.get(), writable(out), &done, as_bytes(body).data(), length(body)), "opening");
  require(EVP_CIPHER_CTX_ctrl(m_context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(k_tag), tag.data()), "the tag");
  std::array<std::uint8_t, k_tag> rest;
  if (EVP_DecryptFinal_ex(m_context.get(), rest.data(), &done) == 1) return out;
  OPENSSL_cleanse(out.data(), out.size());  // unauthenticated: nobody may see it
  return std::nullopt;
}

void Hmac::Free::operator()(evp_mac_ctx_st* context) const {
  EVP_MAC_CTX_free(context);
}

Hmac::Hmac(const SecretKey& key) : m_context(EVP_MAC_CTX_dup(keyless_hmac())) {
  require(EVP_MAC_init(m_context.get(), key.bytes().data(), key.bytes().size(), nullptr), "HMAC");
}
Hmac::~Hmac() = default;
Hmac::Hmac(Hmac&&) noexcept = default;
Hmac& Hmac::operator=(Hmac&&) noexcept = default;

void Hmac::update(std::string_view text) {
  require(EVP_MAC_update(m_context.get(), as_bytes(text).data(), text.size()), "HMAC");
}

Hmac::Tag Hmac::finish() {
  Tag tag;
  std::size_t size = 0;
  require(EVP_MAC_final(m_context.get(), tag.data(), &size, tag.size()), "HMAC");
  return tag;
}

Hmac::Tag hmac_sha256(const SecretKey& key, std::string_view text) {
  Hmac hmac(key);
  hmac.update(text);
  return hmac.finish();
}

}  // namespace liftlock
