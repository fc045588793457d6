// Arbitrary bytes as an .rpm that is listed in a repository: nothing but Error may come out.
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "ecosystem/rpm/repository_index.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("rpm", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  try {
    const auto package = rpm::PackageFile::read(fd.get());
    const auto listed =
        rpm::index_package(package, Digest::parse_sha256_hex(std::string(64, '0')), "Packages/x-1-1.noarch.rpm");
    (void)rpm::make_repository_index({&listed}, {});
  } catch (const Error&) {
  }
  return 0;
}
