// The device that a folder lies on, as the kernel names it: what is written on a transfer sheet.
#pragma once

#include <filesystem>
#include <string>

namespace liftlock {

struct Medium {
  std::string
      device;  ///< "sdb1", "nvme0n1p2"; empty: the folder lies on no block device (a network, memory, a container)
  std::string model;   ///< what the device says it is; empty: unknown
  std::string serial;  ///< empty: unknown
};

/// From /sys (Documentation/ABI/testing/sysfs-block, sysfs-bus-usb). Never fails for what is unknown.
/// @throws Error{not_found, io_error} when there is no such folder
Medium medium_of(const std::filesystem::path& folder);

}  // namespace liftlock
