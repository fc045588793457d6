// Names of models as people and files give them: what is accepted is a path of four safe components, and reads back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/ollama/name.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  ollama::Name fit;
  fit.model = ollama::fit_part(text);
  if (ollama::parse_name(fit.text()) != fit) std::abort();
  try {
    const auto name = ollama::parse_name(text);
    if (name.path().find("/.") != std::string::npos || name.path().starts_with('.')) std::abort();
    if (ollama::name_of_path(name.path()) != name || ollama::parse_name(name.text()) != name) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
