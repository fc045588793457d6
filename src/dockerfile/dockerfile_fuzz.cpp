#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "dockerfile/dockerfile.hpp"
#include "dockerfile/lint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto file = dockerfile::parse_dockerfile(as_text({data, size}));
    std::size_t bytes = 0;
    for (const auto& one : file.instructions) {
      bytes += one.arguments.size();
      for (const auto& document : one.documents) bytes += document.body.size();
    }
    if (bytes > size + file.instructions.size()) __builtin_trap();
    (void)dockerfile::lint(file, [](const std::string&) { return false; });
  } catch (const Error&) {
  }
  return 0;
}
