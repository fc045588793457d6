#include "os/cell.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/close_on_exec.hpp"
#include "os/fd.hpp"
#include "os/lockdown.hpp"

namespace liftlock {
namespace {

constexpr int k_socket = 3;
constexpr std::size_t k_fds_per_message = 250;  // SCM_MAX_FD is 253
constexpr std::uint32_t k_max_message = 512u << 20;

enum class Answer : std::uint32_t { result = 0, failed = 1 };

struct Head {
  std::uint32_t size;
  std::uint32_t count;  ///< descriptors that follow, or the Answer
};

bool read_exact(int fd, void* into, std::size_t size) {
  auto* at = static_cast<char*>(into);
  while (size > 0) {
    const auto got = ::read(fd, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

/// read_exact that gives up at the deadline.
bool read_until(int fd, void* into, std::size_t size, std::chrono::steady_clock::time_point deadline) {
  auto* at = static_cast<char*>(into);
  while (size > 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd ready{fd, POLLIN, 0};
    const int result = ::poll(&ready, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (result < 0 && errno != EINTR) return false;
    if (result <= 0) continue;
    const auto got = ::read(fd, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_exact(int fd, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const auto done = ::send(fd, at, size, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

/// Into the pipe of a request, which may no longer use sockets.
bool write_pipe(int fd, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const auto done = ::write(fd, at, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

bool send_files(int socket, std::span<const int> files) {
  while (!files.empty()) {
    const auto part = files.first(std::min(files.size(), k_fds_per_message));
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_fds_per_message)> control{};
    char byte = 0;
    iovec vector{&byte, 1};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * part.size());
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * part.size());
    std::memcpy(CMSG_DATA(header), part.data(), sizeof(int) * part.size());
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) != 1) return false;
    files = files.subspan(part.size());
  }
  return true;
}

bool receive_files(int socket, std::size_t count, std::vector<UniqueFd>& files) {
  while (files.size() < count) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * k_fds_per_message)> control{};
    char byte = 0;
    iovec vector{&byte, 1};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return false;
    const auto* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
    const auto got = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < got; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      files.emplace_back(fd);
    }
  }
  return files.size() == count;
}

void limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit both{value, value};
  ::setrlimit(resource, &both);
}

struct Service {
  const CellHandler& handler;
  const CellLimits& limits;
  RequestLockdown lockdown;
};

/// In the fork: handles one request and writes the answer into the pipe.
[[noreturn]] void handle_in_fork(const Service& service, const std::string& request, const std::vector<UniqueFd>& files,
                                 int out) {
  // Whoever takes this process over must not be able to answer the next request, nor touch another process.
  ::close(k_socket);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  limit(RLIMIT_AS, service.limits.memory);
#endif
  limit(RLIMIT_CPU, service.limits.cpu_seconds);
  limit(RLIMIT_CORE, 0);
  std::vector<int> fds;
  for (const auto& file : files) fds.push_back(file.get());
  try {
    service.lockdown.apply();
  } catch (const std::exception&) {
    ::_exit(1);
  }
  Answer kind = Answer::result;
  std::string answer;
  try {
    answer = service.handler(request, fds);
  } catch (const std::exception& error) {
    kind = Answer::failed;
    answer = error.what();
  }
  const Head head{static_cast<std::uint32_t>(answer.size()), static_cast<std::uint32_t>(kind)};
  const bool sent = write_pipe(out, &head, sizeof head) && write_pipe(out, answer.data(), answer.size());
  ::_exit(sent ? 0 : 1);
}

struct Reply {
  Answer kind = Answer::failed;
  std::string text;
};

Reply run_request(const Service& service, const std::string& request, const std::vector<UniqueFd>& files) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {Answer::failed, "no pipe"};
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return {Answer::failed, "no process"};
  if (child == 0) handle_in_fork(service, request, files, out.get());
  out.reset();

  Reply reply;
  Head head{};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2ull * service.limits.cpu_seconds + 60);
  bool whole = read_until(in.get(), &head, sizeof head, deadline) && head.size <= k_max_message;
  if (whole) {
    reply.text.resize(head.size);
    whole = read_until(in.get(), reply.text.data(), head.size, deadline);
    reply.kind = static_cast<Answer>(head.count);
  }
  if (!whole) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0) return reply;
  if (WIFSIGNALED(status)) return {Answer::failed, fmt::format("it was ended by signal {}", WTERMSIG(status))};
  return {Answer::failed, "it ended without an answer"};
}

}  // namespace

int serve_cell(const CellHandler& handler, const CellLimits& limits) {
  // No PR_SET_PDEATHSIG: it would fire when the thread that started us ends. The closed socket ends us.
  const Service service{handler, limits, {}};
  lock_down_cell();
  while (true) {
    Head head{};
    if (!read_exact(k_socket, &head, sizeof head)) return 0;
    if (head.size > k_max_message) return 1;
    std::string request(head.size, '\0');
    std::vector<UniqueFd> files;
    if (!read_exact(k_socket, request.data(), request.size()) || !receive_files(k_socket, head.count, files)) return 1;
    const auto reply = run_request(service, request, files);
    const Head answer{static_cast<std::uint32_t>(reply.text.size()), static_cast<std::uint32_t>(reply.kind)};
    if (!write_exact(k_socket, &answer, sizeof answer) || !write_exact(k_socket, reply.text.data(), reply.text.size()))
      return 1;
  }
}

struct CellPool::Cell {
  UniqueFd socket;
  pid_t pid = -1;

  ~Cell() {
    socket.reset();  // it ends when its socket closes
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
};

CellPool::CellPool(std::vector<std::string> argv, unsigned count) : m_argv(std::move(argv)) {
  m_free.resize(count);
}

CellPool::~CellPool() = default;

std::unique_ptr<CellPool::Cell> CellPool::take() {
  {
    const std::lock_guard lock(m_mutex);
    if (!m_free.empty()) {
      auto cell = std::move(m_free.back());
      m_free.pop_back();
      if (cell) return cell;
    }
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_errno("socketpair");
  auto cell = std::make_unique<Cell>();
  cell->socket = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<char*> argv;
  for (auto& argument : m_argv) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::array<char*, 1> environment = {nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) fail_errno("fork");
  if (pid == 0) {
    // Only async-signal-safe calls. Descriptor 3 is the socket.
    for (int standard = 0; standard < 3; ++standard) ::dup2(nothing.get(), standard);
    if (theirs.get() == k_socket) {
      ::fcntl(k_socket, F_SETFD, 0);
    } else {
      ::dup2(theirs.get(), k_socket);
    }
    close_on_exec_from(k_socket + 1);
    ::execve(argv[0], argv.data(), environment.data());
    ::_exit(127);
  }
  cell->pid = pid;
  return cell;
}

void CellPool::give(std::unique_ptr<Cell> cell) {
  const std::lock_guard lock(m_mutex);
  m_free.push_back(std::move(cell));
}

std::string CellPool::call(std::string_view request, std::span<const int> files) {
  auto cell = take();
  const int socket = cell->socket.get();
  const Head head{static_cast<std::uint32_t>(request.size()), static_cast<std::uint32_t>(files.size())};
  Head answer{};
  std::string text;
  bool served = write_exact(socket, &head, sizeof head) && write_exact(socket, request.data(), request.size()) &&
                send_files(socket, files) && read_exact(socket, &answer, sizeof answer) && answer.size <= k_max_message;
  if (served) {
    text.resize(answer.size);
    served = read_exact(socket, text.data(), text.size());
  }
  if (!served) fail(ErrorCode::inspection_failed, "the cell that was to inspect it ended");
  give(std::move(cell));
  if (static_cast<Answer>(answer.count) == Answer::result) return text;
  fail(ErrorCode::inspection_failed, "the inspection failed: {}", printable(text.substr(0, 500)));
}

}  // namespace liftlock
