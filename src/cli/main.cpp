#include "cli/program.hpp"

int main(int argc, char** argv) {
  return liftlock::run_program(argc, argv);
}
