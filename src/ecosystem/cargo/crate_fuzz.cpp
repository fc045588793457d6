// A .crate.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("crate", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  Artifact artifact{.kind = "crate", .name = "demo", .version = "1.0.0"};
  artifact.files.push_back({.path = RelPath::parse("packages/cargo/demo-1.0.0.crate"),
                            .size = size,
                            .digest = Digest::parse_sha256_hex(std::string(64, '0')),
                            .origin = {},
                            .evidence = {}});
  const int files[] = {fd.get()};
  (void)cargo::CrateInspector().inspect(artifact, files);
  return 0;
}
