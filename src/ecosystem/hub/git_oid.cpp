#include "ecosystem/hub/git_oid.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

class GitHasher {
 public:
  explicit GitHasher(std::uint64_t size)
      : m_context(EVP_MD_CTX_new(), EVP_MD_CTX_free), m_sha1(EVP_MD_fetch(nullptr, "SHA1", nullptr), EVP_MD_free) {
    if (!m_context || !m_sha1 || EVP_DigestInit_ex2(m_context.get(), m_sha1.get(), nullptr) != 1) {
      fail(ErrorCode::internal, "SHA-1 is not available, so git blob names cannot be checked");
    }
    const auto header = fmt::format("blob {}", size);
    EVP_DigestUpdate(m_context.get(), header.c_str(), header.size() + 1);
  }
  void update(std::span<const std::uint8_t> bytes) { EVP_DigestUpdate(m_context.get(), bytes.data(), bytes.size()); }
  std::string finish() {
    std::uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(m_context.get(), digest, &length);
    return encode_hex({digest, length});
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> m_context;
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> m_sha1;
};

}  // namespace

std::string git_blob_oid(int fd, std::uint64_t size) {
  GitHasher hasher(size);
  std::vector<std::uint8_t> buffer(256 * 1024);
  for (std::uint64_t at = 0; at < size;) {
    const auto piece =
        std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - at)));
    if (!pread_exact(fd, piece, at, "a downloaded file"))
      fail(ErrorCode::size_mismatch, "a downloaded file ends early");
    hasher.update(piece);
    at += piece.size();
  }
  return hasher.finish();
}

std::string git_blob_oid(std::string_view bytes) {
  GitHasher hasher(bytes.size());
  hasher.update(as_bytes(bytes));
  return hasher.finish();
}

std::string lfs_pointer(const Digest& sha256, std::uint64_t size) {
  return fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", sha256.hex(), size);
}

bool is_git_oid(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace liftlock
