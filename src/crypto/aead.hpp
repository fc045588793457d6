// Secret keys of 256 bits, AES-256-GCM (NIST SP 800-38D) and HMAC-SHA-256 (RFC 2104) through OpenSSL 3's EVP.
// Objects are not shared between threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

namespace liftlock {

/// 32 bytes that are wiped from memory with the object.
class SecretKey {
 public:
  static constexpr std::size_t k_size = 32;
  /// From the system's random generator.
  static SecretKey random();
  /// @throws Error{internal} if there are not 32
  explicit SecretKey(std::span<const std::uint8_t> bytes);
  ~SecretKey();
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;

  std::span<const std::uint8_t> bytes() const { return m_bytes; }
  /// A key for one purpose: HMAC-SHA-256 of the label, which ends with a newline, and of what follows it.
  SecretKey derive(std::string_view label) const;

 private:
  SecretKey() = default;
  std::array<std::uint8_t, k_size> m_bytes{};
};

/// AES-256-GCM under one key. A nonce must never seal twice under one key: here it is a counter.
class Aead {
 public:
  static constexpr std::size_t k_tag = 16;
  /// @throws Error{algorithm_unavailable}
  explicit Aead(const SecretKey& key);
  ~Aead();
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;

  /// Ciphertext and tag. The nonce is four zero bytes and `counter`, big-endian. `data` is bound but not contained.
  std::string seal(std::uint64_t counter, std::string_view data, std::string_view plain);
  /// nullopt: other bytes, counter or data than were sealed.
  std::optional<std::string> open(std::uint64_t counter, std::string_view data, std::string_view sealed);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  enum class Direction : std::uint8_t { none, seal, open };
  void start(Direction direction, std::uint64_t counter);
  SecretKey m_key;
  Direction m_direction = Direction::none;  ///< the one the context is keyed for
  std::unique_ptr<evp_cipher_ctx_st, Free> m_context;
};

/// HMAC-SHA-256 of what is fed piece by piece.
class Hmac {
 public:
  using Tag = std::array<std::uint8_t, 32>;
  /// @throws Error{algorithm_unavailable}
  explicit Hmac(const SecretKey& key);
  ~Hmac();
  Hmac(Hmac&&) noexcept;
  Hmac& operator=(Hmac&&) noexcept;

  void update(std::string_view text);
  /// Once, at the end.
  Tag finish();

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> m_context;
};

Hmac::Tag hmac_sha256(const SecretKey& key, std::string_view text);

}  // namespace liftlock
