// How the commands of a machine reach what answers for its models: HTTP over a Unix socket in STATE/run, without keys.
// Who may connect, and what is asked there: docs/formats/local-door.md.
#pragma once

#include <memory>
#include <string>

#include "net/server.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

class LocalDoor {
 public:
  /// FOLDER/serve.sock, for this user and root; a socket that a killed process left is replaced. Only one process may
  /// have a folder's door at a time.
  /// @param folder is made, for this user alone; may lie deeper than the address of a socket is long
  /// @param handler as HttpServer takes it
  LocalDoor(const fs::path& folder, HttpHandler handler);
  /// Removes the socket; answers that run are cut off.
  ~LocalDoor();
  LocalDoor(const LocalDoor&) = delete;
  LocalDoor& operator=(const LocalDoor&) = delete;

  /// Lets running answers end until then.
  void stop(std::chrono::milliseconds patience);

 private:
  UniqueFd m_folder;
  std::unique_ptr<HttpServer> m_server;
};

/// The socket of the door, for a UnixClient.
fs::path door_in(const fs::path& folder);
/// Does somebody answer there? @throws Error{io_error} when the door is not for this user
bool is_open(const fs::path& folder);

/// What GET /status says there. @throws Error{not_found} when nobody answers, Error{network} when not in time, and what
/// is_open() throws
std::string read_status(const fs::path& folder);

}  // namespace liftlock
