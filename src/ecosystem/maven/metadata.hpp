// maven-metadata.xml of a module (GROUP/ARTIFACT): which versions a repository has.
// https://maven.apache.org/repositories/metadata.html. Bounded, of the repository's own bytes; never run through an XML
// parser: what is not in the form that Maven and repository managers write is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::maven {

constexpr std::size_t k_max_metadata = 16u << 20;

/// Of the element <versions>, in its order. @throws Error{schema_violation}
std::vector<std::string> versions_of(std::string_view metadata);
/// With one more version at the end, and all else as it was but `lastUpdated`; nullopt when it has that version.
/// @param when "20261129120000", UTC. @throws Error{schema_violation}
std::optional<std::string> with_version(std::string_view metadata, std::string_view version, std::string_view when);

}  // namespace liftlock::maven
