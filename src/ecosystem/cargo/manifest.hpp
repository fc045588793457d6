// The Cargo.toml of a published crate, and the line of the index that follows from it.
// Sources: https://doc.rust-lang.org/cargo/reference/manifest.html and registry-index.html#json-schema
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"

namespace liftlock::cargo {

inline constexpr std::uint64_t k_max_manifest = 8u << 20;

struct Dependency {
  std::string name;             ///< what the crate calls it
  std::string package;          ///< what it is called in the registry; empty: the same
  std::string requirement;      ///< "^1.0", "*"
  std::string kind = "normal";  ///< "normal", "build", "dev"
  std::string target;           ///< "cfg(unix)" or a triple; empty: all
  std::string registry_index;   ///< address of another registry's index; empty: the default registry
  std::vector<std::string> features;
  bool optional = false;
  bool default_features = true;
};

struct Manifest {
  std::string name;
  std::string version;
  std::string license;      ///< an SPDX expression, or "see FILE"
  std::string description;  ///< as the crate states it
  std::string links;
  std::string rust_version;
  bool has_build_script = false;      ///< [package] build names one
  bool may_have_build_script = true;  ///< it says nothing of that: then a build.rs beside Cargo.toml is one
  bool is_proc_macro = false;         ///< in whichever of the spellings that cargo takes
  std::vector<Dependency> dependencies;
  std::map<std::string, std::vector<std::string>> features;
};

/// What cargo itself writes when it packs a crate, and what older ones wrote by hand.
/// @throws Error{package_malformed}
Manifest parse_manifest(std::string_view text);

/// What the index says of it, as the inspector keeps it: its dependencies, features, links and rust_version. At most as
/// large as what it was parsed from. docs/formats/cargo.md: facts.index.
Json index_facts(const Manifest& manifest);
/// The same back; name and version are those of the artifact. @throws Error{schema_violation}
Manifest manifest_from_facts(const Json& facts, std::string_view name, std::string_view version);

/// Where the crate itself and its dependencies are from, which the index says in relation to each other.
struct IndexOrigin {
  std::string registry;          ///< of the crate, as Cargo.lock writes it; empty: the default registry
  std::string default_registry;  ///< its address, where it is known: what dependencies of a crate of another one name
};

/// One line of the index, without a newline. `yanked` is always false: the lock wanted it.
std::string index_line(const Manifest& manifest, const Digest& checksum, const IndexOrigin& origin);

}  // namespace liftlock::cargo
