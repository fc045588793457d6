// Short-lived folders for sockets and for what an engine works on, swept when their process died without removing them.
#pragma once

#include <string_view>

#include "os/file.hpp"

namespace liftlock {

/// A folder of its own, short enough for a socket's name (sun_path, 108 bytes): NAME-PID-N below /run/liftlock for
/// root, below XDG_RUNTIME_DIR/liftlock or /tmp/liftlock-UID for others, removed with the object. Making one removes
/// those, with what is mounted on them, whose processes were killed. Safe from any thread and process.
class RunFolder {
 public:
  /// @throws Error{io_error} where the folder above it is not this user's alone
  explicit RunFolder(std::string_view name);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  const fs::path& path() const { return m_path; }

 private:
  fs::path m_path;
  std::optional<FileLock> m_lock;  ///< on NAME-PID-N.lock beside it: who can take it knows that nobody is left
};

}  // namespace liftlock
