// What one person reads to another over the telephone where nothing else may leave a place.
#pragma once

#include <string>

#include "base/digest.hpp"

namespace liftlock {

/// Eight words for the first eight bytes of a digest, one of 256 each: "acid garlic …". Their first four letters differ
/// from word to word. Enough to tell bundles apart, and to notice a slip; no proof against somebody who may try 2^64
/// bundles.
std::string spoken_words(const Digest& digest);

}  // namespace liftlock
