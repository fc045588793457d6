// Artifacts read file by file: one of many files never is a JSON value as a whole.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock {

/// Reads one file after the other. @param where names the artifact in errors
using NextFile = std::function<ArtifactFile(std::string_view where)>;

/// artifact_from_json() of an artifact whose files are given one by one; `rest` has an empty array in their place.
/// @param next is called once for each of the `count` files
Artifact artifact_from_parts(const Json& rest, std::size_t count, const NextFile& next);

/// A text of JSON and what was cut out of it.
struct CutText {
  std::string rest;                                   ///< with each of the arrays empty
  std::vector<std::vector<std::string_view>> arrays;  ///< the texts of their elements, in the order of the arrays
};

/// Cuts out the elements of each array that `path` leads to, from a member of the outermost object through members of
/// the objects of arrays: {"entries", "artifacts", "files"}. Nothing is judged: what is no JSON is still none, in
/// `rest` or in an element. nullopt where an array never ends, or has an element that is none: then it is no JSON.
std::optional<CutText> cut_arrays(std::string_view text, std::span<const std::string_view> path);

/// artifact_file_from_json(parse_json(text, limits), where), with the same result, and faster where the text has no
/// surprises. @throws as those two
ArtifactFile parse_artifact_file(std::string_view text, JsonLimits limits, std::string_view where);

/// artifact_from_json(parse_json(text, limits)): takes the same texts, with the same result. Of several mistakes it may
/// name another one, at a place that counts from the beginning of a file's object. @throws as those two
Artifact parse_artifact(std::string_view text, JsonLimits limits);

}  // namespace liftlock
