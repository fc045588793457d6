// The Cargo.toml of a crate, and the line of the index that follows from it.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto digest = Digest::parse_sha256_hex(std::string(64, '0'));
  try {
    const auto manifest = cargo::parse_manifest(as_text({data, size}));
    if (!cargo::is_crate_name(manifest.name)) std::abort();
    const auto line = cargo::index_line(manifest, digest, {});
    if (line.find('\n') != std::string::npos) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
