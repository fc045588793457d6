// For tests: what was noted.
#pragma once

#include <string>
#include <vector>

#include "base/reporter.hpp"

namespace liftlock {

/// Keeps notes, and nothing else. For one thread.
class KeptNotes final : public Reporter {
 public:
  TaskId begin(std::string_view, Unit, std::uint64_t) override { return 0; }
  void grow(TaskId, std::uint64_t) override {}
  void advance(TaskId, std::uint64_t) override {}
  void end(TaskId) override {}
  void note(std::string_view text) override { notes.emplace_back(text); }
  void warn(std::string_view) override {}

  std::vector<std::string> notes;
};

}  // namespace liftlock
