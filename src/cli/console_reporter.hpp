// Progress and remarks on stderr: one line that is redrawn on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "base/reporter.hpp"

namespace liftlock {

class ConsoleReporter final : public Reporter {
 public:
  enum class Style : std::uint8_t { quiet, plain, terminal };
  explicit ConsoleReporter(Style style) : m_style(style) {}
  ~ConsoleReporter() override;

  TaskId begin(std::string_view title, Unit unit, std::uint64_t total) override;
  void grow(TaskId task, std::uint64_t more) override;
  void advance(TaskId task, std::uint64_t amount) override;
  void end(TaskId task) override;
  void note(std::string_view text) override;
  void warn(std::string_view text) override;

  /// Style::terminal when stderr is one, else plain.
  static Style style_for_stderr();

 private:
  using Clock = std::chrono::steady_clock;
  struct Task {
    std::string title;
    Unit unit;
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    Clock::time_point started;
    Clock::time_point shown;
  };
  std::string describe(const Task& task) const;
  void show(Task& task);
  void clear_line();
  void line(std::string_view text);

  Style m_style;
  std::mutex m_mutex;
  std::map<TaskId, Task> m_tasks;
  TaskId m_next = 1;
  bool m_line_open = false;
};

/// "12s", "3m05s", "2h10m"
std::string format_seconds(double seconds);

}  // namespace liftlock
