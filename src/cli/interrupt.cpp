#include "cli/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include <string_view>

namespace liftlock {
namespace {

constexpr int k_interrupted = 128 + SIGINT;

constexpr std::string_view k_goes_on =
    "\nliftlock: interrupted; run the same command again: it checks what is there, and goes on from that\n";
constexpr std::string_view k_begins_anew = "\nliftlock: interrupted; run the same command again, it begins anew\n";
/// Set before the handler is.
const std::string_view* g_word = &k_goes_on;

/// Only what is safe in a signal handler (signal-safety(7)).
void end_with_a_word(int) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, g_word->data(), g_word->size());
  ::_exit(k_interrupted);
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

}  // namespace

void resume_after_interrupt() {
  end_with(k_goes_on);
}

void begin_anew_after_interrupt() {
  end_with(k_begins_anew);
}

}  // namespace liftlock
