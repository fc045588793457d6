// For tests: the tarballs of testdata/make_packages.py.
#pragma once

#include <fcntl.h>

#include "ecosystem/npm/inspector.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::npm::testing_support {

inline const fs::path& samples() {
  static const TemporaryFolder folder;
  static const bool made = [] {
    run_process_checked(
        {.argv = {"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/npm/testdata/make_packages.py", folder.path()},
         .input = {},
         .set_environment = {},
         .unset_environment = {},
         .working_folder = {}});
    return true;
  }();
  static_cast<void>(made);
  return folder.path();
}

inline std::string sample(const std::string& name) {
  return read_file(samples() / (name + ".tgz"), 64u << 20);
}

}  // namespace liftlock::npm::testing_support
