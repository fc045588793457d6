#include <cstdlib>

#include "base/error.hpp"
#include "trust/sigstore_bundle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto bundle = parse_sigstore_bundle(text);
    const auto again = parse_sigstore_bundle(write_sigstore_bundle(bundle));
    if (again.hint != bundle.hint || again.digest != bundle.digest || again.signature != bundle.signature) std::abort();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) std::abort();
  }
  return 0;
}
