#include "ecosystem/apt/package_match.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace liftlock::apt {
namespace {

std::size_t priority_rank(std::string_view priority) {
  static constexpr std::array<std::string_view, 4> k_order = {"required", "important", "standard", "optional"};
  return static_cast<std::size_t>(std::find(k_order.begin(), k_order.end(), priority) - k_order.begin());
}

bool provided_version_fits(const Relation& relation, std::string_view provided) {
  if (relation.relation == VersionRelation::any) return true;
  return !provided.empty() && satisfies(provided, relation.relation, relation.version);
}

}  // namespace

std::string_view PackageMatcher::architecture(const Package& package) const {
  return package.architecture == "all" ? std::string_view(m_native) : package.architecture;
}

bool PackageMatcher::architecture_fits(const Relation& relation, std::string_view wanting,
                                       const Package& package) const {
  const auto own = architecture(package);
  if (relation.architecture == "any") return package.multi_arch == "allowed";
  if (relation.architecture == "native") return own == m_native;
  if (!relation.architecture.empty()) return own == relation.architecture;
  return own == wanting || package.multi_arch == "foreign";
}

std::vector<PackageId> PackageMatcher::candidates(const Relation& relation, std::string_view wanting) const {
  std::vector<PackageId> real, providing;
  for (const auto id : m_index.named(relation.name)) {
    const auto& package = m_index[id];
    if (architecture_fits(relation, wanting, package) &&
        satisfies(package.version, relation.relation, relation.version)) {
      real.push_back(id);
    }
  }
  std::stable_sort(real.begin(), real.end(), [&](auto a, auto b) {
    const bool a_own = architecture(m_index[a]) == wanting, b_own = architecture(m_index[b]) == wanting;
    if (a_own != b_own) return a_own;
    return compare_versions(m_index[a].version, m_index[b].version) > 0;
  });
  for (const auto& provider : m_index.providers(relation.name)) {
    const auto& package = m_index[provider.package];
    if (package.name != relation.name && architecture_fits(relation, wanting, package) &&
        provided_version_fits(relation, provider.version)) {
      providing.push_back(provider.package);
    }
  }
  std::stable_sort(providing.begin(), providing.end(), [&](auto a, auto b) {
    const auto& left = m_index[a];
    const auto& right = m_index[b];
    const auto key = [&](const Package& package) {
      return std::tuple(architecture(package) != wanting, priority_rank(package.priority), package.name);
    };
    if (key(left) != key(right)) return key(left) < key(right);
    return compare_versions(left.version, right.version) > 0;
  });
  real.insert(real.end(), providing.begin(), providing.end());
  return real;
}

std::vector<PackageId> PackageMatcher::candidates(const Alternatives& alternatives, std::string_view wanting) const {
  std::vector<PackageId> out;
  for (const auto& relation : alternatives) {
    for (const auto id : candidates(relation, wanting)) {
      if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
    }
  }
  return out;
}

bool PackageMatcher::hits(const Relation& negative, PackageId id) const {
  const auto& package = m_index[id];
  const bool qualified = !negative.architecture.empty() && negative.architecture != "any";
  if (qualified && architecture(package) != negative.architecture) return false;
  if (package.name == negative.name) return satisfies(package.version, negative.relation, negative.version);
  const auto& providers = m_index.providers(negative.name);
  return std::any_of(providers.begin(), providers.end(), [&](const auto& provider) {
    return provider.package == id && provided_version_fits(negative, provider.version);
  });
}

bool PackageMatcher::coinstallable(const Package& a, const Package& b) const {
  return a.name != b.name || (architecture(a) != architecture(b) && a.multi_arch == "same" && b.multi_arch == "same" &&
                              a.version == b.version);
}

}  // namespace liftlock::apt
