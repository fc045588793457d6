#include "advisory/remedy.hpp"

#include <algorithm>

#include "base/loose_json.hpp"

namespace liftlock::advisory {
namespace {

constexpr std::size_t k_most_stated = 20;  ///< of one package: above the highest of the smallest fixes few are left

/// A package for every architecture serves each.
bool serves(const std::string& a, const std::string& b) {
  const auto any = [](const std::string& one) { return one == "all" || one == "noarch"; };
  return a == b || any(a) || any(b);
}

/// What could end all of them, the smallest first: a version below the smallest fix of one of them does not.
std::vector<std::string> versions_to_try(const std::vector<const Affected*>& findings, std::string_view ecosystem) {
  const auto earlier = [&](const std::string& a, const std::string& b) { return is_earlier(ecosystem, a, b) == true; };
  std::string least;
  for (const auto* found : findings) {
    if (found->fixed.empty()) continue;
    const auto& first = *std::min_element(found->fixed.begin(), found->fixed.end(), earlier);
    if (least.empty() || earlier(least, first)) least = first;
  }
  std::vector<std::string> out;
  for (const auto* found : findings) {
    for (const auto& version : found->fixed) {
      if (!earlier(version, least)) out.push_back(version);
    }
  }
  std::stable_sort(out.begin(), out.end(), earlier);
  const auto same = [&](const std::string& a, const std::string& b) { return !earlier(a, b) && !earlier(b, a); };
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  if (out.size() > k_most_stated) out.resize(k_most_stated);
  return out;
}

}  // namespace

std::string_view without_version(std::string_view id) {
  return id.substr(0, id.rfind('@'));
}

Meant meant_of(const std::vector<Affected>& findings) {
  Meant out;
  for (const auto& found : findings) out.emplace(found.artifact, found.subject);
  return out;
}

void Replacements::add(const Artifact& artifact) {
  const Candidate one{artifact.id(), artifact.version, text_in(artifact.facts, "architecture"),
                      known_packages(artifact)};
  if (one.known.empty()) return;
  const auto [from, to] = m_candidates.equal_range(without_version(one.id));
  if (std::any_of(from, to, [&](const auto& there) { return there.second == one; })) return;
  for (const auto& known : one.known) m_subjects.push_back({one.id, known});
  m_candidates.emplace(without_version(one.id), one);
}

bool Replacements::fit(const Candidate& a, const Candidate& b) {
  if (!serves(a.architecture, b.architecture)) return false;
  return std::any_of(a.known.begin(), a.known.end(), [&](const KnownPackage& mine) {
    return std::any_of(b.known.begin(), b.known.end(), [&](const KnownPackage& other) {
      return mine.ecosystem == other.ecosystem &&
             (mine.release.empty() || other.release.empty() || mine.release == other.release);
    });
  });
}

std::set<std::string> Replacements::of(const Affected& found, const Meant& meant) const {
  std::set<std::string> out;
  const auto [from, to] = m_candidates.equal_range(without_version(found.artifact));
  for (auto mine = from; mine != to; ++mine) {
    if (mine->second.id != found.artifact) continue;
    const auto& ecosystem = mine->second.known.front().ecosystem;
    for (auto at = from; at != to; ++at) {
      const auto& other = at->second;
      if (other.id == found.artifact || !fit(mine->second, other)) continue;
      if (is_earlier(ecosystem, other.version, mine->second.version) == true) continue;
      if (!meant.contains({other.id, found.subject})) out.insert(other.id);
    }
  }
  return out;
}

AskedVersions::AskedVersions(const std::vector<Affected>& findings, const std::set<std::string>& wanted,
                             const std::vector<Subject>& subjects) {
  // Versions of a source are not compared with those of a package that has its own.
  using Key = std::pair<std::string, std::string>;  // of id and source
  std::map<Key, std::vector<const Affected*>> by_key;
  for (const auto& found : findings) {
    if (wanted.contains(found.artifact)) by_key[Key(found.artifact, found.source)].push_back(&found);
  }
  std::multimap<Key, const KnownPackage*> known;
  for (const auto& subject : subjects) known.emplace(Key(subject.id, source_name(subject)), &subject.known);
  for (const auto& [key, its_findings] : by_key) {
    auto& package = m_packages[key];
    for (const auto* found : its_findings) package.findings.insert(found->subject);
    const auto [from, to] = known.equal_range(key);
    if (from == to) continue;
    for (auto& version : versions_to_try(its_findings, from->second->ecosystem)) {
      const auto number = std::to_string(m_subjects.size());  // no other has it
      for (auto one = from; one != to; ++one) {
        auto other = *one->second;
        other.version = version;
        m_subjects.push_back({number, std::move(other)});
      }
      package.stated.push_back({number, std::move(version)});
    }
  }
}

std::vector<Ask> AskedVersions::asks(const std::vector<Affected>& matched) const {
  std::map<std::string_view, std::vector<const Affected*>> by_subject;
  for (const auto& found : matched) by_subject[found.artifact].push_back(&found);
  std::vector<Ask> out;
  for (const auto& [key, package] : m_packages) {
    Ask ask{key.first, {}, {}, key.second};
    std::pair<std::ptrdiff_t, std::size_t> least;
    for (const auto& [subject, version] : package.stated) {
      const auto& left = by_subject[subject];
      const auto own = std::count_if(left.begin(), left.end(), [&findings = package.findings](const auto* found) {
        return findings.contains(found->subject);
      });
      const std::pair count(own, left.size());
      if (!ask.version.empty() && count >= least) continue;
      least = count;
      ask.version = version;
      ask.advisories.clear();
      for (const auto* found : left) ask.advisories.push_back(found->advisory);
    }
    out.push_back(std::move(ask));
  }
  return out;
}

}  // namespace liftlock::advisory
