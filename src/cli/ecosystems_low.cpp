#include <vector>

#include "cli/collectors.hpp"
#include "cli/program.hpp"

namespace liftlock {

Collectors collectors() {
  static const std::vector<const Collector*> k_collectors = {};
  return k_collectors;
}

std::optional<std::string> stack_file_text(std::string_view name) {
  return stack_template(name, collectors());
}

}  // namespace liftlock
