// The zip of a Go module.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/go/module_zip.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("module", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  try {
    go::check_module_zip(fd.get(), "example.test/demo", "v1.0.0");
  } catch (const Error&) {
  }
  return 0;
}
