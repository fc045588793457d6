// Blobs that may be pointers of Git LFS: what is taken for one is one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/rel_path.hpp"
#include "ecosystem/git/lfs_pointer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  const auto pointer = git::parse_lfs_pointer(text);
  if (!pointer) return 0;
  const bool names = text.find("oid sha256:" + pointer->oid.hex()) != std::string_view::npos;
  if (size > git::k_max_lfs_pointer || !names || !RelPath::try_parse(git::lfs_path("tool", pointer->oid))) std::abort();
  return 0;
}
