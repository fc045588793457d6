#include "server/local_door.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/gateway.hpp"
#include "net/unix_client.hpp"

namespace liftlock {
namespace {

constexpr const char* k_name = "serve.sock";
constexpr std::chrono::seconds k_patience{10};
constexpr std::size_t k_max_connections = 256;

UniqueFd listen_in(const UniqueFd& folder, const fs::path& named) {
  if (::unlinkat(folder.get(), k_name, 0) != 0 && errno != ENOENT) fail_errno(fmt::format("unlink {}", k_name));
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = fmt::format("/proc/self/fd/{}/{}", folder.get(), k_name);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!listener.valid() || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 64) != 0) {
    fail_errno(fmt::format("listen in {}", printable(named.string())));
  }
  return listener;
}

}  // namespace

LocalDoor::LocalDoor(const fs::path& folder, HttpHandler handler) {
  make_folders(folder);
  m_folder = open_folder(folder);
  if (::fchmod(m_folder.get(), 0700) != 0) fail_errno(fmt::format("chmod {}", printable(folder.string())));
  HttpServerOptions options;
  options.local = std::make_shared<UniqueFd>(listen_in(m_folder, folder));
  options.threads = 1;
  options.max_connections = k_max_connections;
  options.max_body = &Gateway::max_local_body;
  options.refusal = &Gateway::refusal;
  m_server = std::make_unique<HttpServer>(std::move(options), std::move(handler));
  m_server->start();
}

LocalDoor::~LocalDoor() {
  ::unlinkat(m_folder.get(), k_name, 0);
}

void LocalDoor::stop(std::chrono::milliseconds patience) {
  m_server->stop(patience);
}

fs::path door_in(const fs::path& folder) {
  return folder / k_name;
}

bool is_open(const fs::path& folder) {
  if (::access(folder.c_str(), X_OK) != 0 && errno == EACCES) {
    throw Error(ErrorCode::io_error, "the server answers its own user and root only",
                "run it as the user whose installation it is");
  }
  try {
    return connect_unix(door_in(folder)).valid();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::network) throw;
    return false;
  }
}

std::string read_status(const fs::path& folder) {
  if (!is_open(folder)) {
    throw Error(ErrorCode::not_found, "no server answers for the models of this installation",
                "start one with `liftlock serve`, or name the installation with --state");
  }
  UnixClientLimits limits;
  limits.idle = limits.total = k_patience;
  auto answer = UnixClient(door_in(folder), limits).request({.method = "GET", .target = "/status"});
  if (answer.status != 200) fail(ErrorCode::network, "the server does not say how it is (status {})", answer.status);
  return std::move(answer.body);
}

}  // namespace liftlock
