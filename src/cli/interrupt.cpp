#include "cli/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include <string_view>

namespace liftlock {
namespace {

constexpr int k_interrupted = 128 + SIGINT;

/// Only what is safe in a signal handler (signal-safety(7)).
void end_with_a_word(int) {
  constexpr std::string_view k_word = "\nliftlock: interrupted; run the same command again, it goes on where it was\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, k_word.data(), k_word.size());
  ::_exit(k_interrupted);
}

}  // namespace

void resume_after_interrupt() {
  struct sigaction before {};
  // A shell ignores it for what runs in the background.
  if (::sigaction(SIGINT, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = end_with_a_word;
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace liftlock
