// Answers of LFS servers, and questions of LFS clients.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/git/lfs_batch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  const std::array<git::LfsPointer, 2> asked = {git::LfsPointer{Digest::parse_sha256_hex(std::string(64, 'a')), 5},
                                                git::LfsPointer{Digest::parse_sha256_hex(std::string(64, 'b')), 7}};
  try {
    const auto answer = git::parse_lfs_answer(text, asked, git::LfsScheme::https);
    if (answer.size() != asked.size()) std::abort();
    for (const auto& one : answer) {
      if (one && !one->href.starts_with("https://")) std::abort();
    }
  } catch (const Error&) {
  }
  try {
    if (git::parse_lfs_question(text).objects.size() > git::k_max_lfs_asked) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
