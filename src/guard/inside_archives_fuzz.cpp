// look_inside: any bytes that begin as an archive end in a report within the rules' bounds.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "guard/inside_archives.hpp"
#include "os/fd.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto type = type_of_bytes(as_text({data, size}));
  if (!is_archive(type)) return 0;
  const UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::write(fd.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  UnpackRules rules{.max_nesting = 3, .types = {ContentType::text}, .max_files = 1000, .max_bytes = 8u << 20};
  const auto report = look_inside(fd.get(), type, 1, rules);
  if (report.breaches.size() > InsideReport::k_most || report.count < report.breaches.size()) std::abort();
  if (report.files > rules.max_files + 1 || report.bytes > rules.max_bytes + (1u << 20)) std::abort();
  return 0;
}
