#include "cli/inspection.hpp"

namespace liftlock {

const std::vector<const Inspector*>& inspectors() {
  static const std::vector<const Inspector*> k_inspectors = {};
  return k_inspectors;
}

}  // namespace liftlock
