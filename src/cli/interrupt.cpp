#include "cli/interrupt.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_goes_on =
    "\nliftlock: interrupted; run the same command again: it checks what is there, and goes on from that\n";
constexpr std::string_view k_begins_anew = "\nliftlock: interrupted; run the same command again, it begins anew\n";
/// Set before the handler is.
const std::string_view* g_word = &k_goes_on;

/// Only what is safe in a signal handler (signal-safety(7)).
void end_with_a_word(int) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, g_word->data(), g_word->size());
  ::_exit(k_interrupted_status);
}

void end_with(const std::string_view& word) {
  struct sigaction before {};
  // A shell ignores it for what runs in the background.
  if (::sigaction(SIGINT, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) return;
  g_word = &word;
  struct sigaction action {};
  action.sa_handler = end_with_a_word;
  ::sigaction(SIGINT, &action, nullptr);
}

/// Of the InterruptStop that lives.
std::atomic<int> g_wake{-1};
std::atomic<bool> g_asked{false};

enum class Wake : std::uint64_t { interrupted = 1, done = 1u << 20 };

void wake(int fd, Wake what) {
  const auto value = static_cast<std::uint64_t>(what);
  [[maybe_unused]] const auto written = ::write(fd, &value, sizeof value);
}

/// Only what is safe in a signal handler.
void ask_to_stop(int) {
  const int before = errno;
  g_asked = true;
  wake(g_wake, Wake::interrupted);
  errno = before;
}

}  // namespace

InterruptStop::InterruptStop() : m_woken(::eventfd(0, EFD_CLOEXEC)) {
  if (!m_woken.valid()) fail_errno("eventfd");
  m_thread = std::thread([this] {
    std::uint64_t value = 0;
    while (::read(m_woken.get(), &value, sizeof value) < 0 && errno == EINTR) {
    }
    if (value % static_cast<std::uint64_t>(Wake::done) != 0) m_stop.request_stop();
  });
  g_wake = m_woken.get();
  g_asked = false;
  if (::sigaction(SIGINT, nullptr, &m_before) != 0 || m_before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = ask_to_stop;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
}

InterruptStop::~InterruptStop() {
  ::sigaction(SIGINT, &m_before, nullptr);
  wake(m_woken.get(), Wake::done);
  m_thread.join();
  g_wake = -1;
}

bool InterruptStop::requested() const {
  return g_asked;
}

void resume_after_interrupt() {
  end_with(k_goes_on);
}

void begin_anew_after_interrupt() {
  end_with(k_begins_anew);
}

}  // namespace liftlock
