#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "engine/elf.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("elf", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  try {
    const auto facts = engine::read_elf(fd.get(), 0, size);
    if (engine::elf_from_json(engine::to_json(facts)) != facts) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
