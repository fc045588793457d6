// A few threads for work that would hold up the transfer loop: hashing what is there, producing, syncing, and looking
// at what came in.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace liftlock {

class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads);
  /// Finishes what runs; drops what has not begun.
  ~WorkerPool();

  /// task must not throw.
  void post(std::function<void()> task);
  /// Waits until all that was posted is done; nothing may be posted afterwards.
  void finish();

 private:
  void run();
  void end();

  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::deque<std::function<void()>> m_tasks;
  bool m_stopping = false;
  std::vector<std::thread> m_threads;
};

}  // namespace liftlock
