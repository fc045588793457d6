#include "ecosystem/pypi/wheelhouse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/encoding.hpp"
#include "ecosystem/pypi/project_name.hpp"

namespace liftlock {
namespace {

/// "only for other targets: …", "only as a source distribution: …", or the closure's own words.
std::string reason_of(const std::string& project, const std::string& words,
                      const std::map<std::string, std::string>& unfit,
                      const std::map<std::string, std::string>& sdists) {
  if (const auto found = unfit.find(project); found != unfit.end()) {
    return "only for other targets: " + found->second;
  }
  if (const auto found = sdists.find(project); found != sdists.end()) {
    return fmt::format("only as source, which pip would have to build: {}", found->second);
  }
  return words;
}

std::map<std::string, std::string> by_project(const std::vector<std::string>& sdists) {
  std::map<std::string, std::string> out;
  for (const auto& filename : sdists) {
    if (const auto name = SdistFilename::parse(filename)) out.emplace(normalize_project_name(name->name), filename);
  }
  return out;
}

}  // namespace

WheelhouseReport check_wheelhouse(const std::vector<HousedWheel>& wheels, const std::vector<std::string>& sdists,
                                  const std::vector<std::string>& requirements, const WheelTarget& target) {
  WheelhouseReport out;
  std::vector<ClosureMember> members;
  std::vector<std::string> titles;
  std::map<std::string, std::string> unfit;
  for (const auto& wheel : wheels) {
    if (!target.takes(wheel.name)) {
      out.unfit.push_back(wheel.filename);
      unfit.emplace(normalize_project_name(wheel.name.name), wheel.filename);
      continue;
    }
    if (const auto glibc = target.glibc_of(wheel.name); glibc > out.glibc) {
      out.glibc = glibc;
      out.glibc_wheel = wheel.filename;
    }
    members.push_back({.metadata = wheel.metadata, .extras = {}});
    titles.push_back(fmt::format("{} {}", wheel.metadata.name, wheel.metadata.version));
  }
  for (const auto& member : members) unfit.erase(normalize_project_name(member.metadata.name));
  CoreMetadata question;
  question.requires_dist = requirements;
  members.push_back({.metadata = question, .extras = {}});
  titles.emplace_back();

  const auto sources = by_project(sdists);
  std::map<std::string, MissingProject> missing;
  const auto miss = [&](const std::string& project, const std::string& words) -> MissingProject& {
    auto& entry = missing[project];
    entry.name = project;
    if (entry.reason.empty()) entry.reason = reason_of(project, words, unfit, sources);
    return entry;
  };
  for (const auto& gap : check_closure(members, target.environment()).gaps) {
    if (gap.project.empty()) {
      out.obstacles.push_back({titles[gap.from], gap.requirement, gap.reason});
    } else {
      miss(gap.project, gap.reason).wanted.push_back({titles[gap.from], gap.requirement});
    }
  }
  // Nobody here may ask for them, but they were put here to be installed.
  for (const auto& [project, filename] : unfit) miss(project, "");
  for (auto& [project, entry] : missing) out.missing.push_back(std::move(entry));
  return out;
}

bool is_wheel_name(std::string_view filename) {
  return filename.ends_with(".whl");
}

bool is_sdist_name(std::string_view filename) {
  return filename.ends_with(".tar.gz");
}

}  // namespace liftlock
