// Words to systemd (sd_notify(3)) over the socket in NOTIFY_SOCKET, without libsystemd.
#pragma once

#include <string_view>

namespace liftlock {

/// Sends e.g. "READY=1"; without NOTIFY_SOCKET, or when nobody listens there, nothing happens.
void sd_notify(std::string_view state);

}  // namespace liftlock
