#include "base/reporter.hpp"

namespace liftlock {
namespace {

class SilentReporter final : public Reporter {
 public:
  TaskId begin(std::string_view, Unit, std::uint64_t) override { return 0; }
  void grow(TaskId, std::uint64_t) override {}
  void advance(TaskId, std::uint64_t) override {}
  void end(TaskId) override {}
  void note(std::string_view) override {}
  void warn(std::string_view) override {}
};

}  // namespace

Reporter& silent_reporter() {
  static SilentReporter reporter;
  return reporter;
}

}  // namespace liftlock
