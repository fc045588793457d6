// A digest is an algorithm and bytes; in the store a name is the SHA-256 of the bytes.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace liftlock {

enum class DigestAlgorithm : std::uint8_t { sha256, sha384, sha512 };

std::string_view name(DigestAlgorithm algorithm);
std::size_t digest_size(DigestAlgorithm algorithm);

/// An immutable digest. Text form as in OCI: "sha256:<lower-case hex>".
class Digest {
 public:
  /// @throws Error{internal} if the number of bytes is not the algorithm's
  Digest(DigestAlgorithm algorithm, std::span<const std::uint8_t> bytes);

  /// Accepts "sha256:hex" only. @throws Error{schema_violation}
  static Digest parse(std::string_view text);
  static std::optional<Digest> try_parse(std::string_view text);
  /// Accepts 64 lower-case hex digits. @throws Error{schema_violation}
  static Digest parse_sha256_hex(std::string_view hex);

  DigestAlgorithm algorithm() const { return m_algorithm; }
  std::span<const std::uint8_t> bytes() const { return {m_bytes.data(), digest_size(m_algorithm)}; }
  std::string hex() const;
  /// "sha256:hex"
  std::string text() const;
  /// Hex in groups of four separated by spaces: what people read out to each other.
  std::string spoken() const;

  auto operator<=>(const Digest&) const = default;

 private:
  DigestAlgorithm m_algorithm;
  std::array<std::uint8_t, 64> m_bytes{};
};

}  // namespace liftlock

template <>
struct std::hash<liftlock::Digest> {
  std::size_t operator()(const liftlock::Digest& digest) const noexcept {
    std::size_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value = (value << 8) | digest.bytes()[i];
    return value;
  }
};
