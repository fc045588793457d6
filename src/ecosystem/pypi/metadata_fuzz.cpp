// METADATA, WHEEL and RECORD as text.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/pypi/core_metadata.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/wheel.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  try {
    const auto metadata = parse_core_metadata(text);
    metadata.license_text();
    if (!is_project_name(metadata.name)) std::abort();
  } catch (const Error&) {
  }
  try {
    parse_record(text);
  } catch (const Error&) {
  }
  return 0;
}
