// Arbitrary bytes as the wheel a-1-py3-none-any.whl, and as an sdist: nothing but Error may come out.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "ecosystem/pypi/sdist.hpp"
#include "ecosystem/pypi/wheel.hpp"
#include "os/fd.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("wheel", MFD_CLOEXEC));
  if (::write(fd.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const Wheel wheel(fd.get(), *WheelFilename::parse("a-1-py3-none-any.whl"));
    wheel.metadata();
    wheel.tags();
    wheel.check_record();
  } catch (const Error&) {
  }
  try {
    check_sdist(fd.get(), *SdistFilename::parse("a-1.tar.gz"), {.entries = 1000, .ratio = 1, .free_size = 1u << 20});
  } catch (const Error&) {
  }
  return 0;
}
