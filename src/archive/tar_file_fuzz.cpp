// A tar that is unpacked once for all its readers says to each what it says to one that unpacks it by itself.
#include "archive/tar_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "archive/one_reading.hpp"
#include "archive/tar_reader.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/fd.hpp"

namespace {

using namespace liftlock;

/// The names and bytes of its files, and what is wrong with it.
std::string reading_of(const TarFile& file) {
  constexpr TarLimits limits{.entries = 1000, .ratio = 1, .free_size = 1u << 20};
  std::string out;
  try {
    read_tar(file, "it", limits, [&](const TarEntry& entry) -> TarSink {
      out += fmt::format("\n{} {} {}\n", entry.name, entry.is_folder, entry.size);
      return [&](std::span<const std::uint8_t> bytes) { out += as_text(bytes); };
    });
  } catch (const Error& error) {
    out += error.what();
  }
  try {
    require_one_reading(file, "it", limits);
  } catch (const Error& error) {
    out += error.what();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const UniqueFd fd(::memfd_create("tar", MFD_CLOEXEC));
  if (::write(fd.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  TarFile file(fd.get(), "it");
  const auto read = reading_of(file);
  file.keep_if_small(4u << 20);
  if (reading_of(file) != read) std::abort();
  return 0;
}
