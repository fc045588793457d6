#include "advisory/affected.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

#include "advisory/maven_version.hpp"
#include "advisory/rpm_distribution.hpp"
#include "advisory/rpm_version.hpp"
#include "advisory/semver.hpp"
#include "artifact/derived_inputs.hpp"
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
  if (ecosystem == "Debian" || ecosystem == "Ubuntu") return apt::compare_versions;
  if (ecosystem == "npm" || ecosystem == "Go" || ecosystem == k_rust) return compare_semver;
  if (is_rpm_ecosystem(ecosystem)) return compare_rpm;
  if (ecosystem == "Maven") return compare_maven;
  return nullptr;
}

Compare order_of(const KnownPackage& known) {
  return known.without_epoch ? compare_rpm_without_epoch : order_of(std::string_view(known.ecosystem));
}

/// Can the ecosystem's order place it?
bool is_version(std::string_view ecosystem, std::string_view text) {
  if (ecosystem == "PyPI") return PyVersion::parse(text).has_value();
  if (ecosystem == "Debian" || ecosystem == "Ubuntu") return apt::is_version(text);
  if (is_rpm_ecosystem(ecosystem) || ecosystem == "Maven") return !text.empty();
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

struct Suite {
  std::string_view codename, ecosystem, release;
};

/// Of which release a deb is: by the codename of its suite, else without one by the archive's Origin. Where nobody
/// states either (an import) it is Ubuntu's if its version says so, else it may be either's: what is carried of both
/// decides.
std::vector<Suite> suites_of(const Artifact& artifact) {
  constexpr std::string_view k_debian = "Debian", k_ubuntu = "Ubuntu";
  // The releases of which OSV has records, and sid, of which it has none.
  constexpr std::array<Suite, 39> k_suites = {{
      {"woody", k_debian, "3.0"},    {"sarge", k_debian, "3.1"},      {"etch", k_debian, "4.0"},
      {"lenny", k_debian, "5.0"},    {"squeeze", k_debian, "6.0"},    {"wheezy", k_debian, "7"},
      {"jessie", k_debian, "8"},     {"stretch", k_debian, "9"},      {"buster", k_debian, "10"},
      {"bullseye", k_debian, "11"},  {"bookworm", k_debian, "12"},    {"trixie", k_debian, "13"},
      {"forky", k_debian, "14"},     {"sid", k_debian, ""},           {"trusty", k_ubuntu, "14.04"},
      {"utopic", k_ubuntu, "14.10"}, {"vivid", k_ubuntu, "15.04"},    {"wily", k_ubuntu, "15.10"},
      {"xenial", k_ubuntu, "16.04"}, {"yakkety", k_ubuntu, "16.10"},  {"zesty", k_ubuntu, "17.04"},
      {"artful", k_ubuntu, "17.10"}, {"bionic", k_ubuntu, "18.04"},   {"cosmic", k_ubuntu, "18.10"},
      {"disco", k_ubuntu, "19.04"},  {"eoan", k_ubuntu, "19.10"},     {"focal", k_ubuntu, "20.04"},
      {"groovy", k_ubuntu, "20.10"}, {"hirsute", k_ubuntu, "21.04"},  {"impish", k_ubuntu, "21.10"},
      {"jammy", k_ubuntu, "22.04"},  {"kinetic", k_ubuntu, "22.10"},  {"lunar", k_ubuntu, "23.04"},
      {"mantic", k_ubuntu, "23.10"}, {"noble", k_ubuntu, "24.04"},    {"oracular", k_ubuntu, "24.10"},
      {"plucky", k_ubuntu, "25.04"}, {"questing", k_ubuntu, "25.10"}, {"resolute", k_ubuntu, "26.04"},
  }};
  std::string origin;
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) {
      if (!evidence.details.is_object()) continue;
      for (const auto* key : {"codename", "suite"}) {
        const auto stated = text_in(evidence.details, key);
        for (const auto& suite : k_suites) {
          if (stated.starts_with(suite.codename)) return {suite};
        }
      }
      if (origin.empty()) origin = text_in(evidence.details, "origin");
    }
  }
  const Suite debian{"", k_debian, ""}, ubuntu{"", k_ubuntu, ""};
  if (origin.starts_with(k_ubuntu)) return {ubuntu};  // and "UbuntuESM"
  if (origin.starts_with(k_debian)) return {debian};
  if (artifact.version.find("ubuntu") != std::string::npos) return {ubuntu};
  return {debian, ubuntu};
}

/// Advisories name the source package: "Source: openssl (3.0.9-1)" of the stanza, where it differs.
std::vector<KnownPackage> debian_sources(const Artifact& artifact) {
  auto name = artifact.name.substr(0, artifact.name.find(':'));
  auto version = artifact.version;
  const auto stanza = text_in(artifact.facts, "stanza");
  for (const auto line : split(stanza, '\n')) {
    constexpr std::string_view field = "Source:";
    if (!line.starts_with(field)) continue;
    auto value = trim(line.substr(field.size()));
    if (const auto open = value.find(" ("); open != std::string_view::npos && value.ends_with(')')) {
      version = value.substr(open + 2, value.size() - open - 3);
      value = value.substr(0, open);
    }
    name = value;
  }
  std::vector<KnownPackage> out;
  for (const auto& suite : suites_of(artifact))
    out.push_back({std::string(suite.ecosystem), std::string(suite.release), name, version});
  return out;
}

/// The binary package, and its source: "openssl-3.0.7-27.el9.src.rpm". No header says the source's epoch. Packages of
/// its own version have it from there; one with another version may have an epoch of its own, too.
std::vector<KnownPackage> rpm_names(const Artifact& artifact) {
  const auto architecture = text_in(artifact.facts, "architecture");
  auto name = artifact.name;
  if (!architecture.empty() && name.ends_with("." + architecture)) name.resize(name.size() - architecture.size() - 1);
  const auto release = artifact.version.substr(artifact.version.rfind('-') + 1);
  const auto colon = artifact.version.find(':');
  const auto without_epoch = colon == std::string::npos ? artifact.version : artifact.version.substr(colon + 1);
  auto source = text_in(artifact.facts, "source_rpm");
  constexpr std::string_view k_end = ".src.rpm";
  std::size_t version_at = std::string::npos;
  if (source.ends_with(k_end)) {
    source.resize(source.size() - k_end.size());
    const auto dash = source.rfind('-');
    if (dash != std::string::npos && dash > 0) version_at = source.rfind('-', dash - 1);
  }
  std::vector<KnownPackage> out;
  for (const auto& [ecosystem, its_release] : rpm_distributions(text_in(artifact.facts, "vendor"), release)) {
    out.push_back({ecosystem, its_release, name, artifact.version});
    if (version_at == std::string::npos || source.substr(0, version_at) == name) continue;
    auto version = source.substr(version_at + 1);
    const bool same = version == without_epoch;
    out.push_back({ecosystem, its_release, source.substr(0, version_at), same ? artifact.version : version, !same});
  }
  return out;
}

/// The .debs that an engine was made of.
std::vector<KnownPackage> packages_in(const Artifact& engine) {
  std::vector<KnownPackage> out;
  for (const auto& input : derived_inputs(engine)) {
    for (auto& known : known_packages(input)) {
      if (std::find(out.begin(), out.end(), known) == out.end()) out.push_back(std::move(known));
    }
  }
  return out;
}

/// The release of a record, as KnownPackage has it.
std::string release_of(std::string_view ecosystem, std::string_view release) {
  if (is_rpm_ecosystem(ecosystem)) return rpm_release(ecosystem, release);
  if (ecosystem != "Ubuntu") return std::string(release);
  for (const auto part : split(release, ':')) {  // "22.04:LTS", "Pro:16.04:LTS"
    if (!part.empty() && part.front() >= '0' && part.front() <= '9') return std::string(part);
  }
  return {};
}

/// Each once, in the ecosystem's order where that is known; the smallest are kept. A record may state a million.
void add_fixed(std::vector<std::string>& to, const std::vector<std::string>& more, Compare order) {
  if (order == nullptr) {
    for (const auto& one : more) {
      if (to.size() >= k_max_fixed) return;
      if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
    }
    return;
  }
  const auto before = [&](const std::string& a, const std::string& b) { return order(a, b) < 0; };
  std::stable_sort(to.begin(), to.end(), before);
  for (const auto& one : more) {
    if (to.size() >= k_max_fixed && !before(one, to.back())) continue;
    const auto at = std::lower_bound(to.begin(), to.end(), one, before);
    if (at != to.end() && !before(one, *at)) continue;
    to.insert(at, one);
    if (to.size() > k_max_fixed) to.pop_back();
  }
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

std::vector<std::string> fixed_of(const AffectedPackage& package) {
  std::vector<std::string> out;
  for (const auto& range : package.ranges) {
    for (const auto& event : range.events) {
      if (event.event == Event::fixed) out.push_back(event.version);
    }
  }
  return out;
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

std::vector<KnownPackage> known_packages(const Artifact& artifact) {
  const auto& kind = artifact.kind;
  if (kind == "wheel" || kind == "sdist")
    return {{"PyPI", {}, normalize_project_name(artifact.name), artifact.version}};
  if (kind == "npm") return {{"npm", {}, artifact.name, artifact.version}};
  if (kind == "crate") return {{std::string(k_rust), {}, artifact.name, artifact.version}};
  if (kind == "go-module") return {{"Go", {}, artifact.name, artifact.version}};
  if (kind == "maven") return {{"Maven", {}, artifact.name, artifact.version}};
  if (kind == "deb") return debian_sources(artifact);
  if (kind == "rpm") return rpm_names(artifact);
  if (kind == "engine") return packages_in(artifact);
  return {};
}

std::optional<bool> is_earlier(std::string_view ecosystem, std::string_view a, std::string_view b) {
  const auto order = order_of(ecosystem);
  if (order == nullptr) return std::nullopt;
  return order(a, b) < 0;
}

Verdict judge(const AffectedPackage& package, const KnownPackage& known) {
  const auto order = order_of(known);
  const auto equal = [&](const std::string& version) {
    return version == known.version || (order != nullptr && order(version, known.version) == 0);
  };
  Verdict out{.affected = std::any_of(package.versions.begin(), package.versions.end(), equal), .fixed = {}};
  for (const auto& range : package.ranges) {
    if (order != nullptr) out.affected = out.affected || is_in(placed(range, known.ecosystem), known.version, order);
  }
  if (!out.affected) return out;
  std::vector<std::string> fixed;
  for (const auto& range : package.ranges) {
    for (const auto& event : order == nullptr ? range.events : placed(range, known.ecosystem)) {
      if (event.event != Event::fixed) continue;
      if (order == nullptr || order(event.version, known.version) > 0) fixed.push_back(event.version);
    }
  }
  add_fixed(out.fixed, fixed, order);
  return out;
}

std::string source_name(const Subject& subject) {
  const std::string_view id = subject.id;
  return id.substr(id.rfind('@') + 1) == subject.known.version ? std::string() : subject.known.name;
}

std::vector<Subject> subjects_of(const std::vector<Artifact>& artifacts) {
  std::vector<Subject> out;
  for (const auto& artifact : artifacts) {
    for (auto& known : known_packages(artifact)) out.push_back({artifact.id(), std::move(known)});
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
  const auto subject_name = common_name(advisory);
  auto aliases = advisory.aliases;
  aliases.insert(aliases.end(), advisory.upstream.begin(), advisory.upstream.end());
  for (const auto& package : advisory.affected) {
    const auto [ecosystem, stated] = split_ecosystem(package.ecosystem);
    const auto release = release_of(ecosystem, stated);
    const auto fixed = fixed_of(package);
    const auto [from, to] = m_by_name.equal_range({std::string(ecosystem), normal_name(ecosystem, package.name)});
    for (auto subject = from; subject != to; ++subject) {
      const auto& known = subject->second.known;
      if (!fits_release(known.ecosystem, known.release, release, fixed)) continue;
      const auto verdict = judge(package, known);
      if (!verdict.affected) continue;
      const Affected found{subject->second.id, advisory.id,      subject_name,  aliases,
                           advisory.severity,  advisory.summary, verdict.fixed, source_name(subject->second)};
      const auto [at, added] = m_found.emplace(std::pair(found.artifact, subject_name), found);
      if (added) continue;
      // Another database on the same thing: what the first one left open is taken from it.
      auto& kept = at->second;
      // Of two severities the worse counts, so that none is hidden by the order of the databases.
      if (!found.severity.empty() && (kept.severity.empty() || rank(found.severity) < rank(kept.severity)))
        kept.severity = found.severity;
      if (kept.summary.empty()) kept.summary = found.summary;
      if (kept.source == found.source) {
        add_fixed(kept.fixed, found.fixed, order_of(known.ecosystem));
      } else if (kept.fixed.empty() || (found.source.empty() && !found.fixed.empty())) {
        kept.fixed = found.fixed;
        kept.source = found.source;
      }
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
