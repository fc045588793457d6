// A POM, as far as Liftlock needs it: who it says it is, its licences, what it depends on. As written: what it inherits
// stands in its parents (pom_set.hpp). https://maven.apache.org/pom.html
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace liftlock::maven {

inline constexpr std::uint64_t k_max_pom = 8u << 20;

struct Coordinates {
  std::string group, artifact, version;
  bool operator==(const Coordinates&) const = default;
};

struct PomDependency {
  Coordinates what;
  std::string scope, type, classifier;
  bool optional = false;
};

struct Pom {
  Coordinates own;  ///< group and version are empty where they are the parent's
  std::optional<Coordinates> parent;
  std::vector<std::string> licenses;  ///< of one may be chosen; as license_text() has them
  std::map<std::string, std::string> properties;
  std::vector<PomDependency> dependencies;
  std::vector<PomDependency> managed;  ///< dependencyManagement

  /// With what is the parent's where it has none of its own. Expressions stay.
  Coordinates coordinates() const;
};

/// At most 8 MiB, 100 elements deep, 10,000 dependencies and properties, each text of 1000 bytes.
/// @throws Error{package_malformed, limit_exceeded}: no sound XML, a document type declaration, no <project>, an
/// element of its coordinates that stands twice
Pom parse_pom(std::string_view text);

Json to_json(const Pom& pom);
/// @throws Error{schema_violation}
Pom pom_from_json(const Json& json);

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;
/// The text with each ${name} replaced; nullopt where a name is unknown, or it unfolds to more than 1000 bytes, over
/// more than 20 levels or 100 names.
std::optional<std::string> interpolated(std::string_view text, const Lookup& lookup);
/// What the POM itself says of a name: its properties, project.groupId and its like, project.parent.version and its
/// like.
std::optional<std::string> look_up(const Pom& pom, std::string_view name);

/// @throws Error{package_malformed} where it says that it is another than "GROUP:ARTIFACT" in this version. What it has
/// from a parent's properties cannot be told, and is passed over.
void require_coordinates(const Pom& pom, std::string_view name, std::string_view version);

}  // namespace liftlock::maven
