#include "ecosystem/model/onnx.hpp"

#include "base/error.hpp"
#include "ecosystem/model/content.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const MemoryBytes file({data, size});
  recognise("a", file);
  ends_as_zip(file);
  try {
    read_onnx(file);
  } catch (const Error&) {
  }
  try {
    check_sentencepiece(file);
  } catch (const Error&) {
  }
  return 0;
}
