#include "advisory/inspector.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "advisory/database.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::advisory {
namespace {

constexpr std::array<std::string_view, 1> k_kinds = {"advisories"};
constexpr std::size_t k_most_ecosystems = 100;  // facts stay small

}  // namespace

std::span<const std::string_view> AdvisoriesInspector::kinds() const {
  return k_kinds;
}

Inspection AdvisoriesInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  std::uint64_t records = 0;
  std::map<std::string, std::uint64_t> ecosystems;
  std::string newest;
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    const auto& path = artifact.files[i].path.text();
    try {
      each_advisory(files[i], path, [&](const Advisory& advisory) {
        ++records;
        newest = std::max(newest, advisory.modified);
        std::set<std::string> mentioned;
        for (const auto& one : advisory.affected) mentioned.insert(one.ecosystem.substr(0, one.ecosystem.find(':')));
        for (const auto& one : mentioned) {
          if (ecosystems.size() < k_most_ecosystems || ecosystems.count(one) != 0) ++ecosystems[one];
        }
      });
    } catch (const Error& error) {
      out.findings.push_back({error.code(), path, error.what()});
    }
  }
  if (records == 0 && out.findings.empty()) {
    out.findings.push_back({ErrorCode::package_malformed, artifact.files.at(0).path.text(), "it holds no OSV record"});
  }
  auto counts = Json::object();
  for (const auto& [name, count] : ecosystems) counts[printable(name)] = count;
  out.facts = {{"records", records}, {"ecosystems", std::move(counts)}, {"newest", printable(newest)}};
  return out;
}

}  // namespace liftlock::advisory
