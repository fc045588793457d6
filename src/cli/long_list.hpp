// Lists of thousands on a terminal: their beginning, and how to see the rest. Files and pipes get all of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace liftlock {

class LongList {
 public:
  /// @param all show all of it, on a terminal too
  explicit LongList(bool all);
  /// How many of `count` are shown. @param most of them on a terminal
  std::size_t shown(std::size_t count, std::size_t most) const;
  /// A line that tells of those that are not, "… and 960 more files (--all or --json shows them)"; empty without any.
  std::string rest(std::size_t count, std::size_t most, std::string_view noun) const;

 private:
  bool m_whole;
};

void add_all_flag(CLI::App& command, bool& all);

}  // namespace liftlock
