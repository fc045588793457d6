#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/pypi/simple_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto* type : {"text/html", "application/vnd.pypi.simple.v1+json"}) {
    try {
      read_simple_page(text, type);
    } catch (const Error&) {
    }
  }
  return 0;
}
