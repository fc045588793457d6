#include "os/medium.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

namespace fs = std::filesystem;

/// The first line of a small file of /sys, without blanks at its ends; empty where there is none.
std::string line_of(const fs::path& file) {
  constexpr std::size_t k_max = 200;
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return "";
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return printable(line.substr(begin, std::min(line.find_last_not_of(" \t") - begin + 1, k_max)));
}

/// The first of these files that says something, in the device's folder or one above it: a USB stick's serial number
/// stands with the USB device, a few folders up.
std::string nearest(fs::path folder, std::initializer_list<const char*> names) {
  for (int i = 0; i < 8 && folder.has_relative_path(); ++i, folder = folder.parent_path()) {
    for (const auto* name : names) {
      if (auto line = line_of(folder / name); !line.empty()) return line;
    }
  }
  return "";
}

}  // namespace

Medium medium_of(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) fail_errno(fmt::format("stat {}", printable(folder.string())));
  std::error_code absent;
  const auto device =
      fs::canonical(fmt::format("/sys/dev/block/{}:{}", major(status.st_dev), minor(status.st_dev)), absent);
  if (absent) return {};
  // Of a partition the disk is one folder up; of an encrypted medium (dm-crypt) it is what lies below.
  auto disk = device;
  for (int i = 0; i < 4; ++i) {
    if (fs::exists(disk / "partition", absent)) disk = disk.parent_path();
    const auto below = fs::directory_iterator(disk / "slaves", absent);
    if (absent || below == fs::directory_iterator()) break;
    disk = fs::canonical(below->path(), absent);
  }
  auto serial = line_of(disk / "serial");  // virtio's
  if (serial.empty()) serial = nearest(fs::canonical(disk / "device", absent), {"serial"});
  return {
      .device = device.filename().string(), .model = line_of(disk / "device" / "model"), .serial = std::move(serial)};
}

}  // namespace liftlock
