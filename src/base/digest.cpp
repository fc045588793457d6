#include "base/digest.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// nullopt unless it is as many lower-case digits as the algorithm's digests have.
std::optional<Digest> digest_of_hex(DigestAlgorithm algorithm, std::string_view hex) {
  std::array<std::uint8_t, 64> bytes;
  const auto size = digest_size(algorithm);
  if (hex.size() != 2 * size) return std::nullopt;
  for (std::size_t i = 0; i < size; ++i) {
    const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return Digest(algorithm, {bytes.data(), size});
}

}  // namespace

std::string_view name(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::sha256:
      return "sha256";
    case DigestAlgorithm::sha384:
      return "sha384";
    case DigestAlgorithm::sha512:
      return "sha512";
  }
  fail(ErrorCode::internal, "unknown digest algorithm");
}

std::size_t digest_size(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::sha256:
      return 32;
    case DigestAlgorithm::sha384:
      return 48;
    case DigestAlgorithm::sha512:
      return 64;
  }
  fail(ErrorCode::internal, "unknown digest algorithm");
}

Digest::Digest(DigestAlgorithm algorithm, std::span<const std::uint8_t> bytes) : m_algorithm(algorithm) {
  if (bytes.size() != digest_size(algorithm)) fail(ErrorCode::internal, "a digest of {} bytes", bytes.size());
  std::copy(bytes.begin(), bytes.end(), m_bytes.begin());
}

std::optional<Digest> Digest::try_parse(std::string_view text) {
  for (const auto algorithm : {DigestAlgorithm::sha256, DigestAlgorithm::sha384, DigestAlgorithm::sha512}) {
    const auto prefix = name(algorithm);
    if (!text.starts_with(prefix) || text.size() == prefix.size() || text[prefix.size()] != ':') continue;
    if (auto digest = digest_of_hex(algorithm, text.substr(prefix.size() + 1))) return digest;
  }
  return std::nullopt;
}

Digest Digest::parse(std::string_view text) {
  if (const auto digest = try_parse(text)) return *digest;
  fail(ErrorCode::schema_violation, "'{}' is not a digest like sha256:<64 lower-case hex digits>",
       printable(text.substr(0, 100)));
}

Digest Digest::parse_sha256_hex(std::string_view hex) {
  if (const auto digest = digest_of_hex(DigestAlgorithm::sha256, hex)) return *digest;
  fail(ErrorCode::schema_violation, "'{}' is not a SHA-256 in hex", printable(hex.substr(0, 100)));
}

std::string Digest::hex() const {
  return encode_hex(bytes());
}

std::string Digest::text() const {
  return std::string(name(m_algorithm)) + ":" + hex();
}

std::string Digest::spoken() const {
  const auto digits = hex();
  std::string out;
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    if (i != 0) out += ' ';
    out += digits.substr(i, 4);
  }
  return out;
}

}  // namespace liftlock
