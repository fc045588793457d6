#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "engine/release_archive.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("archive", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  try {
    engine::ReleaseArchive archive(fd.get(), "archive",
                                   {.max_entries = 1000, .max_unpacked = 16u << 20, .free_unpacked = 1u << 20});
    apt::DebEntry entry;
    std::vector<std::uint8_t> buffer(65536);
    while (archive.next(entry)) {
      while (archive.read(buffer) != 0) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
