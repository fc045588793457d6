// Arbitrary bytes as a zip archive: nothing but Error may come out, and what is in place is inside of the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "archive/zip_reader.hpp"
#include "base/error.hpp"
#include "os/fd.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("zip", MFD_CLOEXEC));
  if (::write(fd.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const ZipReader zip(fd.get(), {.entries = 1000, .ratio = 10, .free_size = 1u << 20});
    for (const auto& entry : zip.entries()) {
      const auto at = zip.content_offset(entry);
      if (at > size || entry.packed_size > size - at) std::abort();
      (void)zip.read(entry, 1u << 20);
    }
  } catch (const Error&) {
  }
  return 0;
}
