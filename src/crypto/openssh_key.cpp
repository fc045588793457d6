#include "crypto/openssh_key.hpp"

#include <openssl/crypto.h>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_begin = "-----BEGIN OPENSSH PRIVATE KEY-----", k_end = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view k_magic{"openssh-key-v1\0", 15};
constexpr std::string_view k_type = "ssh-ed25519";
constexpr std::size_t k_seed = 32;
/// PrivateKeyInfo of RFC 8410 up to the seed.
constexpr std::string_view k_pkcs8{"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16};

[[noreturn]] void refuse(std::string_view why) {
  fail(ErrorCode::schema_violation, "it is no private key as ssh-keygen writes it: {}", why);
}

/// Erased when it goes.
struct Secret {
  explicit Secret(std::string text) : bytes(std::move(text)) {}
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  std::string bytes;
};

/// Numbers and strings of RFC 4251 5.
class Reader {
 public:
  explicit Reader(std::string_view left) : m_left(left) {}
  std::string_view take(std::size_t size) {
    if (size > m_left.size()) refuse("it ends early");
    const auto out = m_left.substr(0, size);
    m_left.remove_prefix(size);
    return out;
  }
  std::uint32_t number() {
    std::uint32_t out = 0;
    for (const char c : take(4)) out = (out << 8) | static_cast<std::uint8_t>(c);
    return out;
  }
  std::string_view string() { return take(number()); }

 private:
  std::string_view m_left;
};

std::string decoded(std::string_view text) {
  const auto begin = text.find(k_begin);
  const auto end = text.find(k_end);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) refuse("it has no such block");
  Secret lines(std::string(text.substr(begin + k_begin.size(), end - begin - k_begin.size())));
  std::erase_if(lines.bytes, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  auto bytes = decode_base64(lines.bytes);
  if (!bytes) refuse("its block is no base64");
  std::string out(as_text(*bytes));
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return out;
}

PrivateKey key_of_seed(std::string_view seed) {
  const Secret der(std::string(k_pkcs8) + std::string(seed));
  const Secret pem("-----BEGIN PRIVATE KEY-----\n" + encode_base64(as_bytes(der.bytes)) +
                   "\n-----END PRIVATE KEY-----\n");
  return PrivateKey::from_pem(pem.bytes);
}

}  // namespace

OpensshKey OpensshKey::parse(std::string_view text) {
  const Secret all(decoded(text));
  Reader in(all.bytes);
  if (in.take(k_magic.size()) != k_magic) refuse("it does not begin as one");
  const auto cipher = in.string(), derivation = in.string();
  in.string();  // of the derivation
  if (cipher != "none" || derivation != "none") refuse("it has a passphrase");
  if (in.number() != 1) refuse("it holds more than one key");
  const auto public_blob = in.string();
  Reader secret(in.string());
  if (secret.number() != secret.number()) refuse("it is damaged");
  if (secret.string() != k_type) refuse("it is not of the type ssh-ed25519");
  const auto public_half = secret.string(), both = secret.string();
  if (both.size() != 2 * k_seed || both.substr(k_seed) != public_half) refuse("it is damaged");

  Reader stated(public_blob);
  if (stated.string() != k_type || stated.string() != public_half) refuse("its halves do not belong together");
  auto key = key_of_seed(both.substr(0, k_seed));
  if (!as_text(key.public_key().der()).ends_with(public_half)) refuse("its halves do not belong together");
  return {std::move(key), encode_base64(as_bytes(public_blob))};
}

}  // namespace liftlock
