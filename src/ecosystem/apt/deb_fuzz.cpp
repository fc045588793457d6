#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/apt/deb_inspector.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("deb", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  Artifact artifact{.kind = "deb", .name = "x", .version = "1"};
  artifact.files.push_back({.path = RelPath::parse("packages/apt/x_1_all.deb"),
                            .size = size,
                            .digest = Digest::parse_sha256_hex(std::string(64, '0')),
                            .origin = {},
                            .evidence = {}});
  const int files[] = {fd.get()};
  (void)apt::DebInspector().inspect(artifact, files);
  return 0;
}
