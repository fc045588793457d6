#include "ecosystem/model/gguf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    read_gguf(MemoryBytes({data, size}));
  } catch (const Error&) {
  }
  return 0;
}
