// Tests only: a real registry (Debian's docker-registry) on loopback, and a front that demands logins.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::oci::harness {

/// A child that is killed by its process id, and dies with us.
class Child {
 public:
  Child(const std::vector<std::string>& argv, const fs::path& log) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    m_output = UniqueFd(fds[0]);
    const UniqueFd write(fds[1]);
    const UniqueFd errors = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    m_pid = ::fork();
    if (m_pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(write.get(), 1);
      ::dup2(errors.get(), 2);
      ::execvp(words[0], words.data());
      ::_exit(127);
    }
  }
  ~Child() {
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string first_line() const {
    std::string out;
    char c = 0;
    while (::read(m_output.get(), &c, 1) == 1 && c != '\n') out += c;
    return out;
  }

 private:
  UniqueFd m_output;
  pid_t m_pid = -1;
};

/// A port of loopback that was free a moment ago; not one of those that the system gives to whoever asks for any port,
/// nor of those of tests/interop/waiting.sh. What runs beside this has another share: that of the first letter of its
/// name.
inline std::string free_port() {
  constexpr unsigned k_share = 230, k_first = 4096;
  const auto first = k_first + k_share * (static_cast<unsigned char>(*program_invocation_short_name) % 26);
  std::random_device random;
  for (int tries = 0; tries < 1000; ++tries) {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto port = static_cast<std::uint16_t>(first + random() % k_share);
    address.sin_port = htons(port);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return std::to_string(port);
  }
  throw std::runtime_error("no port");
}

inline bool answers(const std::string& port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(*parse_uint(port)));
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

class Registry {
 public:
  explicit Registry(const fs::path& folder) : port(free_port()) {
    make_folders(folder / "registry");
    write_file_atomically(
        folder / "registry.yml",
        fmt::format("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n"
                    "http:\n  addr: 127.0.0.1:{}\n",
                    (folder / "registry").string(), port));
    m_child.emplace(std::vector<std::string>{"docker-registry", "serve", (folder / "registry.yml").string()},
                    folder / "registry.log");
    for (int tries = 0; tries < 1200 && !answers(port); ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  /// Pushes an OCI layout folder.
  void push(const fs::path& layout, const std::string& repository) const {
    run_process_checked({.argv = {"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/oci/testdata/push_layout.py",
                                  layout.string(), port, repository}});
  }
  std::string host() const { return "127.0.0.1:" + port; }
  const std::string port;

 private:
  std::optional<Child> m_child;
};

class Front {
 public:
  Front(const fs::path& folder, const Registry& registry, const std::string& mode, const std::string& referrers = "-")
      : m_log(folder / ("front-" + mode + ".log")),
        m_child({"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/oci/testdata/registry_front.py", registry.port, mode,
                 referrers, m_log.string()},
                folder / "front.err") {
    m_port = m_child.first_line();
  }
  std::string host() const { return "127.0.0.1:" + m_port; }
  std::string log() const { return read_file(m_log, 16u << 20); }

 private:
  fs::path m_log;
  Child m_child;
  std::string m_port;
};

}  // namespace liftlock::oci::harness
