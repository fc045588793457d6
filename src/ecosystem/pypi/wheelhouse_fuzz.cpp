// Arbitrary bytes as a wheelhouse.tgz: nothing but Error may come out.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>

#include "base/error.hpp"
#include "ecosystem/pypi/wheelhouse.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd archive(::memfd_create("archive", MFD_CLOEXEC));
  const UniqueFd out(::memfd_create("out", MFD_CLOEXEC));
  write_all(archive.get(), std::span(data, size), "memfd");
  if (::lseek(archive.get(), 0, SEEK_SET) != 0) return 0;
  try {
    unpack_wheelhouse(archive.get(), out.get(), {.entries = 1000, .ratio = 10, .free_size = 1u << 20});
  } catch (const Error&) {
  }
  return 0;
}
