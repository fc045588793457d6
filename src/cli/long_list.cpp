#include "cli/long_list.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

namespace liftlock {

LongList::LongList(bool all) : m_whole(all || ::isatty(STDOUT_FILENO) == 0) {}

std::size_t LongList::shown(std::size_t count, std::size_t most) const {
  return m_whole || count <= most ? count : most;
}

std::string LongList::rest(std::size_t count, std::size_t most, std::string_view noun) const {
  const auto more = count - shown(count, most);
  return more == 0 ? ""
                   : fmt::format("… and {} more {}{} (--all or --json shows them)\n", more, noun, more == 1 ? "" : "s");
}

void add_all_flag(CLI::App& command, bool& all) {
  command.add_flag("--all", all, "Show long lists whole on a terminal, too");
}

}  // namespace liftlock
