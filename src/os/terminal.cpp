#include "os/terminal.hpp"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_secret = 1024;

class EchoOff {
 public:
  explicit EchoOff(int fd) : m_fd(fd), m_changed(::tcgetattr(fd, &m_before) == 0) {
    if (!m_changed) return;
    auto quiet = m_before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL;
    ::tcsetattr(fd, TCSAFLUSH, &quiet);
  }
  ~EchoOff() {
    if (m_changed) ::tcsetattr(m_fd, TCSAFLUSH, &m_before);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  int m_fd;
  termios m_before{};
  bool m_changed;
};

}  // namespace

std::string ask_secret(std::string_view prompt) {
  const UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty.valid()) fail(ErrorCode::passphrase, "a passphrase is needed and there is no terminal to ask on");
  write_all(tty.get(), prompt, "/dev/tty");
  const EchoOff quiet(tty.get());
  std::string secret;
  char c = 0;
  while (secret.size() < k_max_secret) {
    const auto got = ::read(tty.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == '\n') break;
    secret += c;
  }
  if (secret.empty()) fail(ErrorCode::passphrase, "no passphrase was typed");
  return secret;
}

}  // namespace liftlock
