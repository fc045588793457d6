#include "os/log_pump.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"

namespace liftlock {
namespace {

UniqueFd begin_log(const fs::path& log) {
  std::error_code none;
  if (const auto size = fs::file_size(log, none); !none && size > 0) rename_file(log, log.string() + ".1");
  return open_file(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0640);
}

void make_pipe(UniqueFd& read, UniqueFd& write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  read = UniqueFd(ends[0]);
  write = UniqueFd(ends[1]);
}

}  // namespace

LogPump::LogPump(fs::path log, std::uint64_t max_bytes)
    : m_log(std::move(log)), m_max_bytes(max_bytes), m_file(begin_log(m_log)) {
  make_pipe(m_read, m_write);
  make_pipe(m_stop_read, m_stop_write);
  // Only our end: the program's writes block as they would on a terminal.
  if (::fcntl(m_read.get(), F_SETFL, O_NONBLOCK) != 0) fail_errno("fcntl of a pipe");
  m_thread = std::thread([this] { pump(); });
}

LogPump::~LogPump() {
  finish();
}

void LogPump::finish() {
  m_write.reset();
  m_stop_write.reset();
  if (m_thread.joinable()) m_thread.join();
}

void LogPump::pump() {
  std::array<std::uint8_t, 64 * 1024> buffer;
  bool stopping = false;
  while (true) {
    const auto got = ::read(m_read.get(), buffer.data(), buffer.size());
    if (got > 0) {
      append({buffer.data(), static_cast<std::size_t>(got)});
      continue;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR) || stopping) return;
    std::array<pollfd, 2> wait{{{m_read.get(), POLLIN, 0}, {m_stop_read.get(), POLLIN, 0}}};
    if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) return;
    stopping = wait[1].revents != 0;
  }
}

void LogPump::append(std::span<const std::uint8_t> bytes) {
  try {
    if (m_size + bytes.size() > m_max_bytes) {
      m_file = begin_log(m_log);
      m_size = 0;
    }
    write_all(m_file.get(), bytes, m_log.string());
    m_size += bytes.size();
  } catch (const Error&) {
    // The program must not notice; the next bytes may find room.
  }
}

}  // namespace liftlock
