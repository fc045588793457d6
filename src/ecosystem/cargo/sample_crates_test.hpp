// For tests: crates of a made-up registry.
#pragma once

#include <string>
#include <vector>

#include "archive/archive_fixture.hpp"

namespace liftlock::cargo::sample {

inline std::string manifest(const std::string& name, const std::string& version, const std::string& rest = "") {
  return "[package]\nname = \"" + name + "\"\nversion = \"" + version + "\"\nlicense = \"MIT OR Apache-2.0\"\n" + rest;
}

/// What `cargo package` makes: Cargo.toml, src/lib.rs, and more members below the crate's folder.
inline std::string crate(const std::string& name, const std::string& version, const std::string& rest = "",
                         std::vector<TestMember> more = {}) {
  const auto top = name + "-" + version + "/";
  std::vector<TestMember> members = {{top + "Cargo.toml", manifest(name, version, rest)},
                                     {top + "src/lib.rs", "pub fn one() -> i32 { 1 }\n"}};
  for (auto& member : more) {
    if (!member.path.starts_with("!"))
      member.path = top + member.path;
    else
      member.path.erase(0, 1);  // "!path": as it is
    members.push_back(std::move(member));
  }
  return test_archive("ustar", "gzip", members);
}

}  // namespace liftlock::cargo::sample
