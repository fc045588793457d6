// High side: objects whose destructor waits, ended on a thread of their own: where the client leaves is a thread that
// serves others, too.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace liftlock::git {

class EndAside {
 public:
  /// The process's. What it was given has ended when the process' statics have.
  static EndAside& instance();

  EndAside() : m_thread([this] { work(); }) {}
  ~EndAside();
  EndAside(const EndAside&) = delete;
  EndAside& operator=(const EndAside&) = delete;

  /// Gives the caller's share away; where it is the last one the object ends soon, in turn. Any thread. Only without
  /// memory for that it ends here.
  void end(std::shared_ptr<void> share) noexcept;

 private:
  void work();

  std::mutex m_mutex;
  std::condition_variable m_wake;
  std::deque<std::shared_ptr<void>> m_shares;
  bool m_stopping = false;
  std::thread m_thread;  ///< last: it uses the others
};

}  // namespace liftlock::git
