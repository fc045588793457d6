// What a mirror says it has, for clients that want to be told suites, repositories and keys by name.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.hpp"

namespace liftlock::offline {

struct AptLists {
  std::vector<std::string> suites;
  std::string key;  ///< the mirror's, armored; empty where there is no suite
};
struct RpmRepository {
  std::string name;
  std::vector<std::string> keys;  ///< paths below /rpm/
};

/// Members are absent where nobody asked, and where the mirror serves no such thing.
struct MirrorLists {
  std::optional<AptLists> apt;
  std::optional<std::vector<RpmRepository>> rpm;
  std::optional<std::string> charts;                ///< index.yaml
  std::optional<std::set<std::string>> registries;  ///< HOST[:PORT] of those whose images it has
  bool maven = false;                               ///< Maven itself, which mvnw downloads
  std::vector<std::string> trouble;                 ///< why a list is absent that was asked for; for people
};

struct WantedLists {
  bool apt = false, rpm = false, charts = false, images = false, maven = false;
};

/// Asks it, with short patience. Certificates are checked as OpenSSL's programs on this machine do. What does not work
/// is trouble, and no error.
MirrorLists ask_mirror(const HttpAddress& mirror, const WantedLists& wanted);

/// A word of a line of configuration, part of an address, a file's name: nothing that any of them gives a meaning to.
bool is_plain_name(std::string_view name);

/// The answers to GET /debian/ and GET /rpm/. What they name becomes part of configuration files: names that could be
/// anything else there are refused. @throws Error{json_invalid, schema_violation, limit_exceeded}
std::vector<std::string> parse_suites(std::string_view text);
std::vector<RpmRepository> parse_rpm_repositories(std::string_view text);
/// The same of GET /v2/_catalog: names of images.
std::vector<std::string> parse_catalog(std::string_view text);

/// HOST[:PORT] of the registry that this image came from: "registry.example:5000" of "registry.example_5000/team/app".
/// nullopt for names without one, and for registries of the loopback: what is here stays here.
std::optional<std::string> registry_of(std::string_view image);

}  // namespace liftlock::offline
