#include "crypto/hash.hpp"

#include <openssl/evp.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 1u << 20;

/// Fetched once: EVP_sha256() would look the implementation up on every init.
const EVP_MD* implementation(DigestAlgorithm algorithm) {
  static EVP_MD* const sha256_md = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  static EVP_MD* const sha384_md = EVP_MD_fetch(nullptr, "SHA2-384", nullptr);
  static EVP_MD* const sha512_md = EVP_MD_fetch(nullptr, "SHA2-512", nullptr);
  switch (algorithm) {
    case DigestAlgorithm::sha256:
      return sha256_md;
    case DigestAlgorithm::sha384:
      return sha384_md;
    case DigestAlgorithm::sha512:
      return sha512_md;
  }
  return nullptr;
}

}  // namespace

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Hasher::Hasher(DigestAlgorithm algorithm) : m_algorithm(algorithm), m_context(EVP_MD_CTX_new()) {
  start();
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::start() {
  const auto* md = implementation(m_algorithm);
  if (md == nullptr || EVP_DigestInit_ex2(m_context.get(), md, nullptr) != 1) {
    fail(ErrorCode::internal, "OpenSSL has no {}", name(m_algorithm));
  }
}

void Hasher::update(std::span<const std::uint8_t> bytes) {
  if (EVP_DigestUpdate(m_context.get(), bytes.data(), bytes.size()) != 1) fail(ErrorCode::internal, "hash update");
}

void Hasher::update(std::string_view text) {
  update(as_bytes(text));
}

Digest Hasher::finish() {
  std::uint8_t bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_DigestFinal_ex(m_context.get(), bytes, &size) != 1) fail(ErrorCode::internal, "hash final");
  start();
  return Digest(m_algorithm, {bytes, size});
}

Digest sha256(std::span<const std::uint8_t> bytes) {
  // Making a context costs as much as hashing some hundred bytes.
  thread_local Hasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Digest sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

Digest sha256_of_file(int fd, std::string_view what) {
  return sha256_of_range(fd, 0, regular_size(fd, what), what, {});
}

Digest sha256_of_range(int fd, std::uint64_t offset, std::uint64_t size, std::string_view what,
                       const std::function<void(std::uint64_t)>& progress) {
  thread_local const std::unique_ptr<std::uint8_t[]> buffer(new std::uint8_t[k_block]);
  const auto read = [&](std::uint64_t done) {
    const std::span block(buffer.get(), std::min<std::uint64_t>(k_block, size - done));
    if (!pread_exact(fd, block, offset + done, what)) {
      fail(ErrorCode::size_mismatch, "'{}' ends before its {} bytes", printable(what), size);
    }
    return block;
  };
  if (size <= k_block) {
    const auto digest = sha256(read(0));
    if (progress && size > 0) progress(size);
    return digest;
  }
  Hasher hasher;
  for (std::uint64_t done = 0; done < size;) {
    const auto block = read(done);
    hasher.update(block);
    done += block.size();
    if (progress) progress(block.size());
  }
  return hasher.finish();
}

}  // namespace liftlock
