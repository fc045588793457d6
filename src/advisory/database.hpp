// A file of advisories: a zip of OSV records, as the OSV project exports one per ecosystem, or one record as JSON.
#pragma once

#include <functional>
#include <string_view>

#include "advisory/osv.hpp"

namespace liftlock::advisory {

inline constexpr std::size_t k_max_records = 1'000'000;

/// Each record once, in the order of the file; memory does not grow with the records, only with their names.
/// @param fd its offset is neither used nor moved
/// @param what names the file in errors
/// @throws Error{package_malformed, limit_exceeded} and as parse_osv, with the record's name
void each_advisory(int fd, std::string_view what, const std::function<void(const Advisory&)>& visit);

}  // namespace liftlock::advisory
