#include "ecosystem/npm/integrity.hpp"

#include <openssl/evp.h>

#include <memory>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::npm {
namespace {

constexpr std::size_t k_block = 1u << 20;
constexpr std::size_t k_sha1_size = 20;
constexpr std::size_t k_max_text = 4096;

/// SHA-1 is no algorithm of ours: nothing but the field that old clients want is made of it.
class Sha1 {
 public:
  Sha1()
      : m_context(EVP_MD_CTX_new(), EVP_MD_CTX_free), m_algorithm(EVP_MD_fetch(nullptr, "SHA1", nullptr), EVP_MD_free) {
    if (!m_algorithm || EVP_DigestInit_ex2(m_context.get(), m_algorithm.get(), nullptr) != 1) {
      fail(ErrorCode::internal, "OpenSSL has no SHA-1");
    }
  }
  void update(std::span<const std::uint8_t> bytes) { EVP_DigestUpdate(m_context.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    std::uint8_t out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(m_context.get(), out, &size) != 1) fail(ErrorCode::internal, "hash final");
    return encode_hex({out, size});
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> m_context;
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> m_algorithm;
};

}  // namespace

Integrity Integrity::parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    fail(ErrorCode::schema_violation, "the integrity '{}' {}", printable(text.substr(0, 200)), why);
  };
  if (text.size() > k_max_text) refuse("is too long");
  Integrity out;
  for (const auto word : split(text, ' ')) {
    if (word.empty()) continue;
    const auto dash = word.find('-');
    if (dash == std::string_view::npos) refuse("is not of the form ALGORITHM-BASE64");
    const auto algorithm = word.substr(0, dash);
    const auto bytes = decode_base64(word.substr(dash + 1, word.find('?', dash) - dash - 1)).value_or(Bytes());
    if (algorithm == "sha1") {
      if (bytes.size() != k_sha1_size) refuse("breaks its form");
      out.sha1 = encode_hex(bytes);
    }
    for (const auto known : {DigestAlgorithm::sha256, DigestAlgorithm::sha384, DigestAlgorithm::sha512}) {
      if (algorithm != name(known)) continue;
      if (bytes.size() != digest_size(known)) refuse("breaks its form");
      if (!out.digest || out.digest->bytes().size() < bytes.size()) out.digest = Digest(known, bytes);
    }
  }
  if (out.digest) out.sha1.clear();
  if (!out.digest && out.sha1.empty()) refuse("names no SHA-512, SHA-384, SHA-256 or SHA-1");
  return out;
}

std::string integrity_text(const Digest& digest) {
  return fmt::format("{}-{}", name(digest.algorithm()), encode_base64(digest.bytes()));
}

TarballDigests tarball_digests(int fd) {
  Hasher sha512(DigestAlgorithm::sha512);
  Sha1 sha1;
  const auto size = regular_size(fd, "a tarball");
  std::vector<std::uint8_t> buffer(std::min<std::uint64_t>(k_block, std::max<std::uint64_t>(size, 1)));
  for (std::uint64_t offset = 0; offset < size;) {
    const std::span block(buffer.data(), std::min<std::uint64_t>(buffer.size(), size - offset));
    if (!pread_exact(fd, block, offset, "a tarball")) fail(ErrorCode::io_error, "a tarball shrank");
    sha512.update(block);
    sha1.update(block);
    offset += block.size();
  }
  return {integrity_text(sha512.finish()), sha1.hex()};
}

}  // namespace liftlock::npm
