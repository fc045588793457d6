#include <cstdlib>

#include "cli/program.hpp"

int main(int argc, char** argv) {
  // It makes the low side's documents reproducible. What the high side judges by time must not follow whoever starts
  // it.
  if (liftlock::side_name() == "high") ::unsetenv("SOURCE_DATE_EPOCH");
  return liftlock::run_program(argc, argv);
}
