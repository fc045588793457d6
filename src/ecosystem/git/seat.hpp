// One of so many places that there are in this process, until the object ends.
#pragma once

#include <atomic>

namespace liftlock::git {

class Seat {
 public:
  Seat() = default;
  ~Seat() {
    if (m_count != nullptr) --*m_count;
  }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  /// Once. false: there is no room. @param count must outlive this object
  bool take(std::atomic<int>& count, int most) {
    if (count.fetch_add(1) >= most) {
      --count;
      return false;
    }
    m_count = &count;
    return true;
  }

 private:
  std::atomic<int>* m_count = nullptr;
};

}  // namespace liftlock::git
