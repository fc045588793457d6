#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "ecosystem/apt/deb_version.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock::apt;
  const auto text = liftlock::as_text({data, size});
  const auto newline = text.find('\n');
  const auto a = text.substr(0, newline);
  const auto b = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
  (void)is_version(a);
  const auto forward = compare_versions(a, b), backward = compare_versions(b, a);
  if ((forward < 0) != (backward > 0) || (forward == 0) != (backward == 0)) std::abort();
  if (compare_versions(a, a) != 0) std::abort();
  return 0;
}
