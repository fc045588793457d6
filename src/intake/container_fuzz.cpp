// Arbitrary bytes as a tar or zip that is to be imported: nothing but Error may come out, and every member is a range
// of the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "intake/container.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd file(::memfd_create("archive", MFD_CLOEXEC)), out(::memfd_create("unpacked", MFD_CLOEXEC));
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const auto found = list_container(file.get(), out.get(), {.members = 1000, .ratio = 20, .free_size = 1u << 20});
    (void)container_from_json(to_json(found), size, regular_size(out.get(), "unpacked"));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::schema_violation) std::abort();
  }
  return 0;
}
