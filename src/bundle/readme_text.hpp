// README.txt of a bundle: how to check it without Liftlock. A test runs what the page says.
#pragma once

#include <string>

#include "bundle/manifest.hpp"

namespace liftlock {

/// The same for every bundle of a form: it names no date, sequence or key.
std::string readme_text(ContentForm form);

}  // namespace liftlock
