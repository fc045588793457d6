// This machine: its name, as documents tell where they were made, and which of its runs this is.
#pragma once

#include <string>

namespace liftlock {

/// gethostname(2), as a portable path component; "unknown" where there is none.
std::string host_name();

/// A random name that the kernel gave this boot (/proc/sys/kernel/random/boot_id). @throws Error{io_error}
std::string boot_id();

/// Of the kernel that runs; false where its version cannot be read.
bool is_linux_at_least(int major, int minor);

}  // namespace liftlock
