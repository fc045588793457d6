#include "cli/engine_view.hpp"

#include <ctime>

namespace liftlock {
namespace {

sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

EngineRunFolder::~EngineRunFolder() {
  std::error_code ignored;
  fs::remove_all(m_path, ignored);
}

void block_end_signals() {
  const auto signals = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int wait_for_end(Sandbox& sandbox) {
  const auto signals = end_signals();
  const timespec moment{0, 200'000'000};
  while (true) {
    if (const auto status = sandbox.poll()) return *status;
    if (::sigtimedwait(&signals, nullptr, &moment) > 0) {
      sandbox.kill();
      sandbox.wait();
      return 0;
    }
  }
}

}  // namespace liftlock
