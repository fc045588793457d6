// Semantic versions, as npm, Cargo and Go write them: https://semver.org/spec/v2.0.0.html
#pragma once

#include <compare>
#include <string_view>

namespace liftlock::advisory {

/// Precedence as section 11 has it; build metadata does not count, a leading "v" is passed over, missing numbers are 0.
/// Total also over texts that are no versions, so that sorting foreign input is safe.
std::weak_ordering compare_semver(std::string_view a, std::string_view b);

}  // namespace liftlock::advisory
