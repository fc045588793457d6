// A manifest of Ollama from anywhere: refused or read, and what was read is written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/ollama/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto manifest = ollama::parse_manifest(as_text({data, size}));
    if (ollama::parse_manifest(ollama::manifest_text(manifest)) != manifest) std::abort();
    const auto names = ollama::file_names(manifest);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (ollama::media_type_of_file(names[i]) != manifest.layers[i].media_type) std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
