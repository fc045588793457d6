// Does an engine that is at work get on with it? llama-server answers GET /health beside its work, but GET /slots from
// the queue that its work goes through, between two steps of it: one whose work is stuck answers the first for ever.
#pragma once

#include <chrono>

#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock::engine {

/// Never waits: a step of work may take minutes, and whoever looks has other things to look at.
class WorkProbe {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// @param every between two questions, the first of which is asked after that
  WorkProbe(fs::path socket, std::chrono::milliseconds every, Time now)
      : m_socket(std::move(socket)), m_every(every), m_answered(now), m_next(now + every) {}

  /// For an engine without work, which need not prove that it gets on.
  void rest(Time now);
  /// Asks where it is time, and looks whether an answer came: its first byte says enough.
  void look(Time now);
  /// The last answer, or rest.
  Time answered() const { return m_answered; }

 private:
  void ask();

  fs::path m_socket;
  std::chrono::milliseconds m_every;
  Time m_answered, m_next;
  UniqueFd m_asked;  ///< a connection whose answer has not come
};

}  // namespace liftlock::engine
