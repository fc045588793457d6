// What POMs call common licences, in the identifiers of SPDX's list.
#pragma once

#include <string>
#include <vector>

namespace liftlock::maven {

/// "Apache-2.0" of "The Apache Software License, Version 2.0", joined with OR, for Maven lets one choose; words that
/// are not known stay as license_text() has them. Empty when there is none, or more than 1000 bytes of them.
std::string joined_licenses(const std::vector<std::string>& names);

}  // namespace liftlock::maven
