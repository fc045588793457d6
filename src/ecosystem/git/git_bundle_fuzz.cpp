// A git bundle: its head, and the pack behind it with every object, delta and link.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/git/bundle_header.hpp"
#include "ecosystem/git/pack.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("bundle", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  git::PackLimits limits;
  limits.object = limits.object_in_memory = 1u << 20;
  limits.memory = 4u << 20;
  limits.total = 16u << 20;
  // The trailer's SHA-1 guards most of the code: a fuzzer gets past it only by this.
  limits.trailer = git::PackLimits::Trailer::any;
  try {
    const auto header = git::read_bundle_header(fd.get());
    git::check_pack(fd.get(), header.pack_offset, size - header.pack_offset, {header.refs.begin(), header.refs.end()},
                    limits);
  } catch (const Error&) {
  }
  return 0;
}
