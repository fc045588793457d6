#include "advisory/affected.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

#include "advisory/semver.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb_version.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/version.hpp"

namespace liftlock::advisory {
namespace {

using Compare = std::weak_ordering (*)(std::string_view, std::string_view);

std::weak_ordering compare_python(std::string_view a, std::string_view b) {
  const auto left = PyVersion::parse(a), right = PyVersion::parse(b);
  if (left && right) return *left <=> *right;
  if (!left && !right) return a.compare(b) <=> 0;
  return left ? std::weak_ordering::greater : std::weak_ordering::less;  // what is no version comes first
}

constexpr std::string_view k_rust =
    "crates"
    ".io";  // the name of an ecosystem, not of a host

Compare order_of(std::string_view ecosystem) {
  if (ecosystem == "PyPI") return compare_python;
  if (ecosystem == "Debian") return apt::compare_versions;
  if (ecosystem == "npm" || ecosystem == "Go" || ecosystem == k_rust) return compare_semver;
  return nullptr;
}

/// Can the ecosystem's order place it?
bool is_version(std::string_view ecosystem, std::string_view text) {
  if (ecosystem == "PyPI") return PyVersion::parse(text).has_value();
  if (ecosystem == "Debian") return apt::is_version(text);
  if (text.starts_with('v')) text.remove_prefix(1);
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

/// "12" of "Debian:12"; the ecosystem is what stands before the colon.
std::pair<std::string_view, std::string_view> split_ecosystem(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string normal_name(std::string_view ecosystem, std::string_view name) {
  return ecosystem == "PyPI" ? normalize_project_name(name) : std::string(name);
}

/// The release that a codename of the suite stands for; empty for suites of others.
std::string debian_release(const Artifact& artifact) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> k_releases = {
      {{"bullseye", "11"}, {"bookworm", "12"}, {"trixie", "13"}, {"forky", "14"}}};
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (!evidence.details.is_object()) continue;
      for (const auto* key : {"codename", "suite"}) {
        const auto stated = text_in(evidence.details, key);
        for (const auto& [name, number] : k_releases) {
          if (stated.starts_with(name)) return std::string(number);
        }
      }
    }
  }
  return {};
}

/// Advisories name the source package: "Source: openssl (3.0.9-1)" of the stanza, where it differs.
KnownPackage debian_source(const Artifact& artifact) {
  KnownPackage out{"Debian", debian_release(artifact), artifact.name.substr(0, artifact.name.find(':')),
                   artifact.version};
  const auto stanza = text_in(artifact.facts, "stanza");
  for (const auto line : split(stanza, '\n')) {
    constexpr std::string_view field = "Source:";
    if (!line.starts_with(field)) continue;
    auto value = trim(line.substr(field.size()));
    if (const auto open = value.find(" ("); open != std::string_view::npos && value.ends_with(')')) {
      out.version = value.substr(open + 2, value.size() - open - 3);
      value = value.substr(0, open);
    }
    out.name = value;
  }
  return out;
}

/// An end that nobody can place is no end: in doubt a version is affected.
std::vector<VersionEvent> placed(const VersionRange& range, std::string_view ecosystem) {
  std::vector<VersionEvent> out;
  for (const auto& event : range.events) {
    if (event.version == "0" || is_version(ecosystem, event.version)) {
      out.push_back(event);
    } else if (event.event == Event::introduced) {
      out.push_back({Event::introduced, "0"});
    }
  }
  return out;
}

bool is_in(std::vector<VersionEvent> events, std::string_view version, Compare order) {
  const auto first = [](const VersionEvent& one) { return one.event == Event::introduced && one.version == "0"; };
  std::stable_sort(events.begin(), events.end(), [&](const auto& a, const auto& b) {
    if (first(a) || first(b)) return first(a) && !first(b);
    return order(a.version, b.version) < 0;
  });
  bool inside = false;
  for (const auto& event : events) {
    const auto at = first(event) ? std::weak_ordering::greater : order(version, event.version);
    if (event.event == Event::introduced && at >= 0) inside = true;
    if (event.event == Event::fixed && at >= 0) inside = false;
    if (event.event == Event::last_affected && at > 0) inside = false;
  }
  return inside;
}

int rank(std::string_view severity) {
  constexpr std::array<std::string_view, 6> k_order = {"critical", "high", "medium", "", "low", "none"};
  return static_cast<int>(std::find(k_order.begin(), k_order.end(), severity) - k_order.begin());
}

/// Under which one name databases that speak of the same thing are told together.
std::string common_name(const Advisory& advisory) {
  if (advisory.id.starts_with("CVE-")) return advisory.id;
  for (const auto& alias : advisory.aliases) {
    if (alias.starts_with("CVE-")) return alias;
  }
  return advisory.id;
}

}  // namespace

std::optional<KnownPackage> known_package(const Artifact& artifact) {
  const auto& kind = artifact.kind;
  if (kind == "wheel" || kind == "sdist") {
    return KnownPackage{"PyPI", {}, normalize_project_name(artifact.name), artifact.version};
  }
  if (kind == "npm") return KnownPackage{"npm", {}, artifact.name, artifact.version};
  if (kind == "crate") return KnownPackage{std::string(k_rust), {}, artifact.name, artifact.version};
  if (kind == "go-module") return KnownPackage{"Go", {}, artifact.name, artifact.version};
  if (kind == "maven") return KnownPackage{"Maven", {}, artifact.name, artifact.version};
  if (kind == "deb") return debian_source(artifact);
  return std::nullopt;
}

std::optional<bool> is_earlier(std::string_view ecosystem, std::string_view a, std::string_view b) {
  const auto order = order_of(ecosystem);
  if (order == nullptr) return std::nullopt;
  return order(a, b) < 0;
}

Verdict judge(const AffectedPackage& package, const KnownPackage& known) {
  const auto order = order_of(known.ecosystem);
  const auto equal = [&](const std::string& version) {
    return version == known.version || (order != nullptr && order(version, known.version) == 0);
  };
  Verdict out{.affected = std::any_of(package.versions.begin(), package.versions.end(), equal), .fixed = {}};
  if (order == nullptr) return out;
  for (const auto& range : package.ranges)
    out.affected = out.affected || is_in(placed(range, known.ecosystem), known.version, order);
  if (!out.affected) return out;
  for (const auto& range : package.ranges) {
    for (const auto& event : placed(range, known.ecosystem)) {
      if (event.event != Event::fixed || order(event.version, known.version) <= 0) continue;
      if (out.fixed.empty() || order(event.version, out.fixed) < 0) out.fixed = event.version;
    }
  }
  return out;
}

std::vector<Subject> subjects_of(const std::vector<Artifact>& artifacts) {
  std::vector<Subject> out;
  for (const auto& artifact : artifacts) {
    if (auto known = known_package(artifact)) out.push_back({artifact.id(), std::move(*known)});
  }
  return out;
}

AffectedArtifacts::AffectedArtifacts(const std::vector<Subject>& subjects) {
  for (const auto& subject : subjects)
    m_by_name.emplace(std::pair(subject.known.ecosystem, subject.known.name), subject);
}

void AffectedArtifacts::consider(const Advisory& advisory) {
  ++m_considered;
  if (advisory.withdrawn) return;
  for (const auto& package : advisory.affected) {
    const auto [ecosystem, release] = split_ecosystem(package.ecosystem);
    const auto [from, to] = m_by_name.equal_range({std::string(ecosystem), normal_name(ecosystem, package.name)});
    for (auto subject = from; subject != to; ++subject) {
      const auto& known = subject->second.known;
      if (!release.empty() && !known.release.empty() && release != known.release) continue;
      const auto verdict = judge(package, known);
      if (!verdict.affected) continue;
      const Affected found{subject->second.id, advisory.id,      advisory.aliases,
                           advisory.severity,  advisory.summary, verdict.fixed};
      const auto [at, added] = m_found.emplace(std::pair(found.artifact, common_name(advisory)), found);
      if (added) continue;
      // Another database on the same thing: what the first one left open is taken from it.
      auto& kept = at->second;
      if (kept.severity.empty()) kept.severity = found.severity;
      if (kept.summary.empty()) kept.summary = found.summary;
      if (kept.fixed.empty()) kept.fixed = found.fixed;
    }
  }
}

std::vector<Affected> AffectedArtifacts::result() const {
  std::vector<Affected> out;
  for (const auto& [key, found] : m_found) out.push_back(found);
  std::stable_sort(out.begin(), out.end(), [](const Affected& a, const Affected& b) {
    return std::tuple(rank(a.severity), a.artifact) < std::tuple(rank(b.severity), b.artifact);
  });
  return out;
}

}  // namespace liftlock::advisory
