#include "server/status_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "net/unix_client.hpp"

namespace liftlock {
namespace {

constexpr const char* k_name = "serve.sock";
constexpr timeval k_patience_with_client{2, 0};
constexpr std::chrono::seconds k_patience_with_server{10};
constexpr std::size_t k_most = 16u << 20;

/// The folder may lie deeper than a socket's address is long.
sockaddr_un address_in(const UniqueFd& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = fmt::format("/proc/self/fd/{}/{}", folder.get(), k_name);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

bool may_ask(const UniqueFd& client) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
         (who.uid == 0 || who.uid == ::geteuid());
}

}  // namespace

StatusSocket::StatusSocket(const fs::path& folder, std::function<std::string()> status) : m_status(std::move(status)) {
  make_folders(folder);
  m_folder = open_folder(folder);
  if (::fchmod(m_folder.get(), 0700) != 0) fail_errno(fmt::format("chmod {}", printable(folder.string())));
  if (::unlinkat(m_folder.get(), k_name, 0) != 0 && errno != ENOENT) fail_errno(fmt::format("unlink {}", k_name));
  m_listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto address = address_in(m_folder);
  if (!m_listener.valid() ||
      ::bind(m_listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(m_listener.get(), 16) != 0) {
    fail_errno(fmt::format("listen in {}", printable(folder.string())));
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  m_stop_read = UniqueFd(ends[0]);
  m_stop_write = UniqueFd(ends[1]);
  m_thread = std::thread([this] { run(); });
}

StatusSocket::~StatusSocket() {
  m_stop_write.reset();
  m_thread.join();
  ::unlinkat(m_folder.get(), k_name, 0);
}

void StatusSocket::run() {
  while (true) {
    pollfd wait[2] = {{m_listener.get(), POLLIN, 0}, {m_stop_read.get(), POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0 && errno != EINTR) return;
    if (wait[1].revents != 0) return;
    const UniqueFd client(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.valid()) answer(client);
  }
}

void StatusSocket::answer(const UniqueFd& client) const {
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &k_patience_with_client, sizeof k_patience_with_client);
  if (!may_ask(client)) return;
  const auto text = m_status();
  for (std::string_view left = text; !left.empty();) {
    const auto sent = ::send(client.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string read_status(const fs::path& folder) {
  if (::access(folder.c_str(), X_OK) != 0 && errno == EACCES) {
    throw Error(ErrorCode::io_error, "the server tells how it is to its own user and to root only",
                "run it as the user whose installation it is");
  }
  UniqueFd fd;
  try {
    fd = connect_unix(folder / k_name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::network) throw;
    throw Error(ErrorCode::not_found, "no server answers for the models of this installation",
                "start one with `liftlock serve`, or name the installation with --state");
  }
  std::string text;
  const auto until = std::chrono::steady_clock::now() + k_patience_with_server;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd wait{fd.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) == 0) {
      fail(ErrorCode::network, "the server does not say how it is");
    }
    char piece[16384];
    const auto got = ::recv(fd.get(), piece, sizeof piece, 0);
    if (got == 0) return text;
    if (got < 0 && errno != EAGAIN && errno != EINTR) fail_errno("read the server's status");
    if (got > 0) text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > k_most) fail(ErrorCode::limit_exceeded, "the server's status is larger than {} bytes", k_most);
  }
}

}  // namespace liftlock
