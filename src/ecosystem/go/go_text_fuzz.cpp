// go.sum and go.mod.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/go/go_mod.hpp"
#include "ecosystem/go/go_sum.hpp"
#include "ecosystem/go/module_path.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  try {
    for (const auto& sums : go::parse_go_sum(text)) {
      if (go::unescape_module(go::escape_module(sums.path)) != sums.path) std::abort();
      if (go::compare_versions(sums.version, sums.version) != 0) std::abort();
      go::pseudo_version_time(sums.version);
    }
  } catch (const Error&) {
  }
  try {
    for (const auto& requirement : go::parse_go_mod(text).requirements) {
      if (!go::is_module_path(requirement.path) || !go::is_module_version(requirement.version)) std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
