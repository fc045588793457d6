#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "engine/package_reader.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("engine", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  try {
    engine::EngineReader reader(fd.get());
    engine::Member member;
    std::vector<std::uint8_t> buffer(4096);
    while (reader.next(member)) {
      while (reader.read(buffer) != 0) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
