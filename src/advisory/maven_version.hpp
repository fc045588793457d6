// Versions of Maven artifacts, in the order of Maven 3.9:
// https://maven.apache.org/pom.html#version-order-specification
#pragma once

#include <compare>
#include <string_view>

namespace liftlock::advisory {

/// "1-alpha" < "1-rc1" < "1-SNAPSHOT" < "1" = "1.0" = "1-final" < "1-sp" < "1-other" < "1-1" < "1.1", in any case.
std::weak_ordering compare_maven(std::string_view a, std::string_view b);

}  // namespace liftlock::advisory
