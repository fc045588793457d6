// Versions of RPM packages, [EPOCH:]VERSION[-RELEASE], in rpm's own order:
// https://rpm-software-management.github.io/rpm/man/rpm-version.7
#pragma once

#include <compare>
#include <string_view>

namespace liftlock::advisory {

/// One version, or one release. Total also over texts that rpm would not build: what is neither an ASCII letter nor a
/// digit, '~' or '^' only separates.
std::weak_ordering compare_rpm_part(std::string_view a, std::string_view b);

/// Epoch, then version, then release. No epoch is 0. Unlike rpm's, which compares no release where one has none, no
/// release comes before every release: only so it is an order, by which foreign texts may be sorted.
std::weak_ordering compare_rpm(std::string_view a, std::string_view b);
/// As if none had an epoch.
std::weak_ordering compare_rpm_without_epoch(std::string_view a, std::string_view b);

}  // namespace liftlock::advisory
