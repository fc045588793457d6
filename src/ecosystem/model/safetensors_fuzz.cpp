#include "ecosystem/model/safetensors.hpp"

#include "base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    read_safetensors(MemoryBytes({data, size}));
  } catch (const Error&) {
  }
  try {
    read_safetensors_index(MemoryBytes({data, size}));
  } catch (const Error&) {
  }
  return 0;
}
