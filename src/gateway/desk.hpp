// Work for requests that waits on disks: one after the other, on a thread of the desk's own. Its answer is JSON.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/json.hpp"
#include "net/live_answer.hpp"

namespace liftlock {

class Desk {
 public:
  /// @param stop asked by what takes long: the client is gone, or the desk ends
  using Work = std::function<Json(const std::stop_token& stop)>;

  /// @param busy what is said when too many wait: "too many look into the records already"
  explicit Desk(std::string busy);
  /// Work that is under way is asked to stop, and waited for; who waits gets engine_unavailable.
  ~Desk();
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  /// What work() returns, or the problem that it throws: Error{overloaded} when too many wait. Whose client is gone
  /// before its turn is not begun; what it needs must outlive the desk.
  std::shared_ptr<LiveAnswer> answer(Work work);

 private:
  struct Impl;
  std::shared_ptr<Impl> m_impl;
};

}  // namespace liftlock
