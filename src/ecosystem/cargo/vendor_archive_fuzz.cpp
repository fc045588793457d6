// The tar of a vendored tree.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/cargo/vendor_tree.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("tree", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  for (const auto lock : {cargo::WithLock::yes, cargo::WithLock::no}) {
    try {
      cargo::check_vendor_archive(fd.get(), lock);
    } catch (const Error&) {
    }
  }
  return 0;
}
