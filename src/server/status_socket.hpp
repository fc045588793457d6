// How `ps` and `top` ask a server of the same machine: whoever connects to the socket is sent one JSON document, and
// the connection ends. Nothing is read from who asks. Format: docs/formats/status.md.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

class StatusSocket {
 public:
  /// FOLDER/serve.sock, for this user and root; a socket that a killed server left is replaced. Only one process of an
  /// installation may do this at a time.
  /// @param folder is made, for this user alone
  /// @param status called on the socket's thread. Must not throw
  StatusSocket(const fs::path& folder, std::function<std::string()> status);
  /// Removes the socket.
  ~StatusSocket();
  StatusSocket(const StatusSocket&) = delete;
  StatusSocket& operator=(const StatusSocket&) = delete;

 private:
  void run();
  void answer(const UniqueFd& client) const;

  const std::function<std::string()> m_status;
  UniqueFd m_folder, m_listener, m_stop_read, m_stop_write;
  std::thread m_thread;
};

/// What the server that listens there says. @throws Error{not_found} when there is none, Error{io_error} when the
/// socket is not for this user, Error{network} when it does not answer in time
std::string read_status(const fs::path& folder);

}  // namespace liftlock
