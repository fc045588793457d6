#include "ecosystem/maven/pom_set.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/maven/license_name.hpp"

namespace liftlock::maven {
namespace {

constexpr std::size_t k_max_parents = 50;
constexpr std::size_t k_max_imports = 500;
constexpr std::size_t k_max_effort = 200'000;

std::string name_of(const Coordinates& what) {
  return what.group + ":" + what.artifact;
}

bool is_needed(std::string_view scope) {
  return scope.empty() || scope == "compile" || scope == "runtime";
}

}  // namespace

void PomSet::Effort::add(std::size_t entries) {
  spent += entries;
  if (spent <= k_max_effort) return;
  fail(ErrorCode::limit_exceeded,
       "the POM of {} {}, with its parents and what it imports, manages more than {} versions", printable(key.first),
       printable(key.second), k_max_effort);
}

void PomSet::add(const std::string& name, const std::string& version, std::optional<Pom> pom, Files files) {
  m_all.insert_or_assign(Key(name, version), One{std::move(pom), files});
  m_stated.clear();
}

/// The POM, its parent, and so on, as far as they are here.
std::vector<const Pom*> PomSet::chain(const Key& leaf) const {
  std::vector<const Pom*> out;
  for (auto found = m_all.find(leaf); found != m_all.end() && found->second.pom && out.size() < k_max_parents;) {
    out.push_back(&*found->second.pom);
    const auto& parent = out.back()->parent;
    if (!parent) break;
    found = m_all.find(Key(name_of(*parent), parent->version));
  }
  return out;
}

/// In the words of the first of the chain: its own coordinates, the properties of the nearest.
std::optional<std::string> PomSet::value(const std::vector<const Pom*>& chain, std::string_view text) {
  return interpolated(text, [&](std::string_view name) -> std::optional<std::string> {
    if (auto found = look_up(*chain.front(), name)) return found;
    for (const auto* pom : chain) {
      if (const auto found = pom->properties.find(std::string(name)); found != pom->properties.end())
        return found->second;
    }
    return std::nullopt;
  });
}

std::optional<PomSet::Key> PomSet::key_of(const std::vector<const Pom*>& chain, const Coordinates& what) const {
  const auto name = value(chain, name_of(what)), version = value(chain, what.version);
  if (!name || !version) return std::nullopt;
  return Key(*name, *version);
}

std::string PomSet::managed_key(const std::vector<const Pom*>& chain, const PomDependency& dependency) {
  const auto& type = dependency.type;
  auto text = fmt::format("{}:{}:{}", name_of(dependency.what), type.empty() ? "jar" : type, dependency.classifier);
  return value(chain, text).value_or(text);
}

PomSet::Stated PomSet::stated_in(const std::vector<const Pom*>& chain) const {
  Stated out;
  for (const auto* pom : chain) {
    for (const auto& managed : pom->managed) {
      const auto key = key_of(chain, managed.what);
      if (!key) continue;
      if (managed.scope == "import") {
        out.imports.push_back(*key);
      } else {
        out.managed.try_emplace(managed_key(chain, managed), Managed{key->second, managed.scope});
      }
    }
  }
  return out;
}

/// The nearest counts, and what is imported comes after what is stated.
void PomSet::add_imported(const Stated& by, std::vector<const Stated*>& out, std::set<Key>& seen,
                          Effort& effort) const {
  for (const auto& key : by.imports) {
    if (seen.size() >= k_max_imports || !seen.insert(key).second) continue;
    const auto imported = this->chain(key);
    for (const auto* pom : imported) effort.add(pom->managed.size());
    auto known = m_stated.find(key);
    if (known == m_stated.end()) known = m_stated.emplace(key, stated_in(imported)).first;
    out.push_back(&known->second);
    add_imported(known->second, out, seen, effort);
  }
}

void PomSet::add_best(const std::string& name, const std::string& version, std::set<Key>& out) const {
  const auto stated = m_all.find(Key(name, version));
  if (stated != m_all.end() && stated->second.files == Files::more) {
    out.insert(stated->first);
    return;
  }
  const auto before = out.size();
  for (auto one = m_all.lower_bound(Key(name, "")); one != m_all.end() && one->first.first == name; ++one) {
    if (one->second.files == Files::more) out.insert(one->first);
  }
  if (out.size() == before && stated != m_all.end()) out.insert(stated->first);
}

std::string PomSet::license(const std::string& name, const std::string& version) const {
  for (const auto* pom : chain(Key(name, version))) {
    if (!pom->licenses.empty()) return joined_licenses(pom->licenses);
  }
  return {};
}

std::set<PomSet::Key> PomSet::needs(const std::string& name, const std::string& version) const {
  std::set<Key> out;
  const Key self(name, version);
  const auto poms = chain(self);
  if (poms.empty()) return out;
  const auto add_if_here = [&](const Key& key) {
    if (m_all.contains(key)) out.insert(key);
  };
  if (const auto& parent = poms.front()->parent) add_if_here(Key(name_of(*parent), parent->version));
  for (const auto& managed : poms.front()->managed) {
    const auto key = managed.scope == "import" ? key_of(poms, managed.what) : std::nullopt;
    if (key) add_if_here(*key);
  }
  Effort effort{self};
  for (const auto* pom : poms) effort.add(pom->managed.size());
  const auto own = stated_in(poms);
  std::vector<const Stated*> nearest{&own};
  std::set<Key> seen;
  add_imported(own, nearest, seen, effort);
  for (const auto* pom : poms) {
    for (const auto& dependency : pom->dependencies) {
      effort.add(nearest.size());
      const auto dependency_key = managed_key(poms, dependency);
      Managed managed;
      for (const auto* stated : nearest) {
        const auto found = stated->managed.find(dependency_key);
        if (found == stated->managed.end()) continue;
        managed = found->second;
        break;
      }
      const auto needed =
          !dependency.optional && is_needed(dependency.scope.empty() ? managed.scope : dependency.scope);
      const auto key = needed ? key_of(poms, dependency.what) : std::nullopt;
      if (key) add_best(key->first, key->second.empty() ? managed.version : key->second, out);
    }
  }
  out.erase(self);
  return out;
}

}  // namespace liftlock::maven
