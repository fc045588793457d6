#include "ecosystem/maven/checksum.hpp"

#include <openssl/evp.h>

#include <array>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

constexpr std::size_t k_block = 256u << 10;

const EVP_MD* algorithm_of(std::string_view suffix) {
  if (suffix == "sha1") return EVP_sha1();
  if (suffix == "sha256") return EVP_sha256();
  if (suffix == "sha512") return EVP_sha512();
  return nullptr;
}

}  // namespace

void Checksum::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

bool Checksum::knows(std::string_view suffix) {
  return algorithm_of(suffix) != nullptr;
}

Checksum::Checksum(std::string_view suffix) : m_context(EVP_MD_CTX_new()) {
  const auto* algorithm = algorithm_of(suffix);
  if (algorithm == nullptr || !m_context || EVP_DigestInit_ex(m_context.get(), algorithm, nullptr) != 1) {
    fail(ErrorCode::algorithm_unavailable, "OpenSSL does not offer the checksum here");
  }
}

void Checksum::update(std::span<const std::uint8_t> bytes) {
  EVP_DigestUpdate(m_context.get(), bytes.data(), bytes.size());
}

std::string Checksum::hex() {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  EVP_DigestFinal_ex(m_context.get(), out.data(), &size);
  return encode_hex(std::span(out).first(size));
}

std::string checksum_of_blob(const BlobStore& blobs, const ArtifactFile& file, std::string_view suffix) {
  Checksum sum(suffix);
  const auto fd = blobs.open(file.digest);
  std::vector<std::uint8_t> block(k_block);
  for (std::uint64_t offset = 0; offset < file.size;) {
    const std::span part(block.data(), std::min<std::uint64_t>(block.size(), file.size - offset));
    if (!pread_exact(fd.get(), part, offset, file.path.text()))
      fail(ErrorCode::blob_corrupt, "'{}' is too short", file.path.text());
    sum.update(part);
    offset += part.size();
  }
  return sum.hex();
}

}  // namespace liftlock::maven
