// Arbitrary bytes as a package's tarball: nothing but Error may come out.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "ecosystem/npm/tarball.hpp"
#include "os/fd.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("tarball", MFD_CLOEXEC));
  if (::write(fd.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    npm::read_tarball(fd.get(), {.entries = 1000, .ratio = 1, .free_size = 1u << 20});
  } catch (const Error&) {
  }
  return 0;
}
