// What rooms tell the people who watch. Rooms never print: they report, and an edge decides how it looks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace liftlock {

enum class Unit : std::uint8_t { bytes, items };

/// Receives progress and remarks. All members may be called from any thread.
class Reporter {
 public:
  using TaskId = std::uint64_t;
  virtual ~Reporter() = default;

  /// A piece of work begins. total = 0: not known yet.
  virtual TaskId begin(std::string_view title, Unit unit, std::uint64_t total) = 0;
  /// More work was found.
  virtual void grow(TaskId task, std::uint64_t more) = 0;
  virtual void advance(TaskId task, std::uint64_t amount) = 0;
  virtual void end(TaskId task) = 0;

  /// A line that a person should see ("tag latest pinned to sha256:…").
  virtual void note(std::string_view text) = 0;
  /// Something that is not an error yet.
  virtual void warn(std::string_view text) = 0;
};

/// Says nothing. Lives for the whole program.
Reporter& silent_reporter();

/// A task that ends with its scope.
class ProgressTask {
 public:
  ProgressTask(Reporter& reporter, std::string_view title, Unit unit, std::uint64_t total)
      : m_reporter(reporter), m_id(reporter.begin(title, unit, total)) {}
  ~ProgressTask() { m_reporter.end(m_id); }
  ProgressTask(const ProgressTask&) = delete;
  ProgressTask& operator=(const ProgressTask&) = delete;

  void grow(std::uint64_t more) { m_reporter.grow(m_id, more); }
  void advance(std::uint64_t amount) { m_reporter.advance(m_id, amount); }

 private:
  Reporter& m_reporter;
  Reporter::TaskId m_id;
};

}  // namespace liftlock
