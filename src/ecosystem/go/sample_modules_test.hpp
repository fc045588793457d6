// For tests: module zips of a made-up proxy.
#pragma once

#include <string>
#include <vector>

#include "archive/archive_fixture.hpp"

namespace liftlock::go::sample {

inline std::string go_mod(const std::string& path, const std::string& rest = "") {
  return "module " + path + "\n\ngo 1.19\n" + rest;
}

/// go.mod, one.go, and more members below the module's folder ("!path": as it is).
inline std::string zip(const std::string& path, const std::string& version, const std::string& mod,
                       std::vector<TestMember> more = {}) {
  const auto top = path + "@" + version + "/";
  std::vector<TestMember> members;
  if (!mod.empty()) members.push_back({top + "go.mod", mod});
  members.push_back({top + "one.go", "package one\n"});
  for (auto& member : more) {
    if (member.path.starts_with("!")) {
      member.path.erase(0, 1);
    } else {
      member.path = top + member.path;
    }
    members.push_back(std::move(member));
  }
  return test_archive("zip", "none", members);
}

}  // namespace liftlock::go::sample
