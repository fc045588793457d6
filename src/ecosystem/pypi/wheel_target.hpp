// The Python and the machine that wheels are meant for, and which wheels it takes:
// https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/ (PEP 425, 600).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ecosystem/pypi/requirement.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"

namespace liftlock {

/// CPython on a Linux with glibc.
class WheelTarget {
 public:
  /// @param python "3.11", or "3.11.4" where a patch release matters
  /// @param platform "linux/amd64", as stacks name it
  /// @throws Error{usage}
  static WheelTarget parse(std::string_view python, std::string_view platform);

  /// "Python 3.11 on linux/amd64"
  std::string text() const;
  /// Does one of the wheel's tags fit? musllinux does not: glibc is what nearly all targets have.
  bool takes(const WheelFilename& wheel) const;
  /// The minor version of the oldest glibc 2 under which a wheel that fits works; 0 when it does not depend on it.
  unsigned glibc_of(const WheelFilename& wheel) const;
  /// What pip would find there; a patch release that was not named is 0.
  MarkerEnvironment environment() const;

 private:
  /// nullopt: it does not fit; else as in glibc_of().
  std::optional<unsigned> fit_platform(std::string_view tag) const;
  bool fits_interpreter(std::string_view python, std::string_view abi) const;

  unsigned m_minor = 0;
  std::string m_full;      ///< "3.11.0"
  std::string m_platform;  ///< "linux/amd64"
  std::string m_machine;   ///< "x86_64"
};

}  // namespace liftlock
