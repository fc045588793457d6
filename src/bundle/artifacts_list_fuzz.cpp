// parse_artifacts_list against a fixed list of files.
#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<liftlock::FileEntry> files = {
      {liftlock::RelPath::parse("files/a"), 1, liftlock::Digest::parse_sha256_hex(std::string(64, '0')), {"file:a@1"}}};
  try {
    liftlock::parse_artifacts_list(liftlock::as_text({data, size}), files);
  } catch (const liftlock::Error&) {
  }
  return 0;
}
