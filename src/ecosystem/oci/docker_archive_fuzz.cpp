// `docker save` archives: the tar and its manifest.json.
#include <sys/mman.h>

#include <cstdint>
#include <span>

#include "base/error.hpp"
#include "ecosystem/oci/docker_archive.hpp"
#include "os/file.hpp"

using namespace liftlock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    oci::parse_archive_manifest({reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
  }
  try {
    UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
    write_all(file.get(), std::span(data, size), "memfd");
    const oci::DockerArchive archive(std::move(file), "fuzz");
    const auto images = oci::parse_archive_manifest(archive.read("manifest.json", 1u << 20));
    for (const auto& image : images) {
      archive.read(image.config, 1u << 20);
      for (const auto& layer : image.layers) (void)archive.member(layer);
    }
  } catch (const Error&) {
  }
  return 0;
}
