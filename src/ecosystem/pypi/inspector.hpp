// Is a wheel or an sdist what its name claims, whole, and harmless to unpack? Facts: summary, requires_python,
// requires_dist, license, tags.
#pragma once

#include <memory>

#include "ecosystem/inspector.hpp"

namespace liftlock {

std::unique_ptr<Inspector> make_pypi_inspector();

}  // namespace liftlock
