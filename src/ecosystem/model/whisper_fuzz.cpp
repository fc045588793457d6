#include "base/error.hpp"
#include "ecosystem/model/whisper.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    // A vocabulary as small as can be: seeds of a few kilobytes reach the tensors.
    read_whisper(MemoryBytes({data, size}), {.min_vocabulary = 1});
  } catch (const Error&) {
  }
  return 0;
}
