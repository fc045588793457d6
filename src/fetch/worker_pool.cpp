#include "fetch/worker_pool.hpp"

namespace liftlock {

WorkerPool::WorkerPool(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) m_threads.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(m_mutex);
    m_stopping = true;
    m_tasks.clear();
  }
  end();
}

void WorkerPool::finish() {
  {
    const std::lock_guard lock(m_mutex);
    m_stopping = true;
  }
  end();
}

void WorkerPool::end() {
  m_changed.notify_all();
  for (auto& thread : m_threads) thread.join();
  m_threads.clear();
}

void WorkerPool::post(std::function<void()> task) {
  {
    const std::lock_guard lock(m_mutex);
    m_tasks.push_back(std::move(task));
  }
  m_changed.notify_one();
}

void WorkerPool::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(m_mutex);
      m_changed.wait(lock, [this] { return m_stopping || !m_tasks.empty(); });
      if (m_tasks.empty()) return;
      task = std::move(m_tasks.front());
      m_tasks.pop_front();
    }
    task();
  }
}

}  // namespace liftlock
