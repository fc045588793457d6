// What a file's name says that it is to an installer. Names are compared as PEP 503 normalises them and versions as
// PEP 440 orders them, so that Foo_Bar-1.0-py3-none-any.whl and foo.bar-1.0.0-py3-none-any.whl are one and the same:
// pip takes one of the two, and nobody knows which.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "ecosystem/pypi/version.hpp"

namespace liftlock {

struct Distribution {
  std::string project;  ///< normalised
  PyVersion version;
  bool is_wheel = false;
  std::string build;  ///< of a wheel
  /// Of a wheel: its three sets, each in order and without repetition: "py2.py3-none-any". Two are equal where all
  /// their combinations are, of which there may be thousands.
  std::string tags;

  /// nullopt for what is called neither as a wheel nor as a source distribution.
  static std::optional<Distribution> of_filename(std::string_view filename);
  /// "the wheel foo-bar 1.0", "the source distribution of foo-bar 1.0"
  std::string shown() const;
  auto operator<=>(const Distribution&) const = default;
};

/// "'A' and 'B' are both the wheel foo-bar 1.0, with different content"; the names are those of two files.
std::string one_distribution_twice(const Distribution& distribution, std::string_view a, std::string_view b);

}  // namespace liftlock
