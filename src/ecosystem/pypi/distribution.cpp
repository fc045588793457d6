#include "ecosystem/pypi/distribution.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "base/encoding.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"

namespace liftlock {
namespace {

std::string in_order(const std::vector<std::string>& tags) {
  return fmt::format("{}", fmt::join(std::set<std::string_view>(tags.begin(), tags.end()), "."));
}

}  // namespace

std::optional<Distribution> Distribution::of_filename(std::string_view filename) {
  if (const auto wheel = WheelFilename::parse(filename)) {
    return Distribution{
        .project = normalize_project_name(wheel->name),
        .version = *PyVersion::parse(wheel->version),
        .is_wheel = true,
        .build = wheel->build,
        .tags = fmt::format("{}-{}-{}", in_order(wheel->pythons), in_order(wheel->abis), in_order(wheel->platforms))};
  }
  if (const auto sdist = SdistFilename::parse(filename)) {
    return Distribution{.project = normalize_project_name(sdist->name),
                        .version = *PyVersion::parse(sdist->version),
                        .is_wheel = false,
                        .build = {},
                        .tags = {}};
  }
  return std::nullopt;
}

std::string Distribution::shown() const {
  return fmt::format("{} {} {}", is_wheel ? "the wheel" : "the source distribution of", project, version.text());
}

std::string one_distribution_twice(const Distribution& distribution, std::string_view a, std::string_view b) {
  return fmt::format("'{}' and '{}' are both {}, with different content", printable(a), printable(b),
                     distribution.shown());
}

}  // namespace liftlock
