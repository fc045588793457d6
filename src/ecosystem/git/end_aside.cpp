#include "ecosystem/git/end_aside.hpp"

#include <new>

namespace liftlock::git {

EndAside& EndAside::instance() {
  static EndAside one;
  return one;
}

EndAside::~EndAside() {
  {
    const std::lock_guard lock(m_mutex);
    m_stopping = true;
  }
  m_wake.notify_one();
  m_thread.join();
}

void EndAside::end(std::shared_ptr<void> share) noexcept {
  try {
    const std::lock_guard lock(m_mutex);
    m_shares.push_back(std::move(share));
  } catch (const std::bad_alloc&) {
    return;
  }
  m_wake.notify_one();
}

void EndAside::work() {
  std::unique_lock lock(m_mutex);
  for (;;) {
    m_wake.wait(lock, [this] { return m_stopping || !m_shares.empty(); });
    if (m_shares.empty()) return;
    auto share = std::move(m_shares.front());
    m_shares.pop_front();
    lock.unlock();
    share.reset();
    lock.lock();
  }
}

}  // namespace liftlock::git
