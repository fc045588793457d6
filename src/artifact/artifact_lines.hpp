// Artifacts read file by file: one of many files never is a JSON value as a whole.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "artifact/artifact.hpp"

namespace liftlock {

/// artifact_from_json() of an artifact whose files are given one by one; `rest` has an empty array in their place.
/// @param next is called once for each of the `count` files
Artifact artifact_from_parts(const Json& rest, std::size_t count, const std::function<Json()>& next);

/// artifact_from_json(parse_json(text, limits)): takes the same texts, with the same result. Of several mistakes it may
/// name another one, at a place that counts from the beginning of a file's object. @throws as those two
Artifact parse_artifact(std::string_view text, JsonLimits limits);

}  // namespace liftlock
