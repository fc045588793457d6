// A Modelfile. Nothing but Error may come out, and its parameters are JSON.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/ollama/modelfile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text(std::span(data, size));
  const std::vector<std::string> paths = {"tiny.gguf", "sub/lora.gguf", "Modelfile"};
  try {
    const auto modelfile = ollama::parse_modelfile(text);
    (void)ollama::use_of(modelfile, paths);
    (void)dump_json_line(modelfile.params);
  } catch (const Error&) {
  }
  (void)ollama::report_on_modelfile(text, paths);
  return 0;
}
