// Arbitrary bytes as a repository's index.yaml: nothing but Error may come out.
#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/helm/repository_index.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    helm::find_in_index(as_text({data, size}), "https://charts.test/", "storage", "1.2.0");
  } catch (const Error&) {
  }
  return 0;
}
