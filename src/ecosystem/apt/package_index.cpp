#include "ecosystem/apt/package_index.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"

namespace liftlock::apt {
namespace {

constexpr std::size_t k_max_relations = 20'000;
constexpr std::size_t k_max_packages = 2'000'000;

[[noreturn]] void bad_relation(std::string_view text) {
  fail(ErrorCode::schema_violation, "'{}' is no relation between packages", printable(text.substr(0, 200)));
}

bool is_package_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.front() == '-' || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.' || c == '_';
  });
}

Relation parse_relation(std::string_view text) {
  Relation out;
  const auto end = std::min(text.find_first_of(" \t\r\n([<"), text.size());
  auto name = text.substr(0, end);
  if (const auto colon = name.find(':'); colon != std::string_view::npos) {
    out.architecture = name.substr(colon + 1);
    name = name.substr(0, colon);
  }
  if (!is_package_name(name)) bad_relation(text);
  out.name = name;
  auto rest = trim(text.substr(end));
  if (rest.starts_with('(')) {
    const auto close = rest.find(')');
    if (close == std::string_view::npos) bad_relation(text);
    const auto inside = trim(rest.substr(1, close - 1));
    const auto operator_end = inside.find_first_not_of("<>=");
    if (operator_end == std::string_view::npos) bad_relation(text);
    const auto relation = parse_version_relation(inside.substr(0, operator_end));
    out.version = trim(inside.substr(operator_end));
    if (!relation || out.version.empty() || out.version.find(' ') != std::string_view::npos) bad_relation(text);
    out.relation = *relation;
    rest = trim(rest.substr(close + 1));
  }
  if (!rest.empty() && rest.front() != '[' && rest.front() != '<') bad_relation(text);
  return out;
}

bool is_installed(const Paragraph& paragraph) {
  const auto status = words(paragraph.field_or("Status", ""));
  return status.size() == 3 && status[2] == "installed";
}

}  // namespace

std::string text(const Relation& relation) {
  std::string out(relation.name);
  if (!relation.architecture.empty()) out.append(":").append(relation.architecture);
  if (relation.relation != VersionRelation::any) {
    out += fmt::format(" ({} {})", text(relation.relation), relation.version);
  }
  return out;
}

std::string text(const Alternatives& alternatives) {
  std::string out;
  for (const auto& relation : alternatives) {
    if (!out.empty()) out += " | ";
    out += text(relation);
  }
  return out;
}

std::vector<Alternatives> parse_relations(std::string_view value) {
  std::vector<Alternatives> out;
  std::size_t count = 0;
  for (const auto group : split(value, ',')) {
    if (trim(group).empty()) continue;
    Alternatives alternatives;
    for (const auto one : split(group, '|')) {
      if (++count > k_max_relations)
        fail(ErrorCode::limit_exceeded, "a package has more than {} relations", k_max_relations);
      alternatives.push_back(parse_relation(trim(one)));
    }
    out.push_back(std::move(alternatives));
  }
  return out;
}

void PackageIndex::add_package(Package package) {
  auto& same_name = m_by_name[package.name];
  for (const auto other : same_name) {
    const auto& known = m_packages[other];
    if (!known.installed && !package.installed && known.architecture == package.architecture &&
        known.version == package.version) {
      return;
    }
  }
  if (m_packages.size() >= k_max_packages) fail(ErrorCode::limit_exceeded, "more than {} packages", k_max_packages);
  const auto id = static_cast<PackageId>(m_packages.size());
  same_name.push_back(id);
  for (const auto& group : parse_relations(package.provides)) {
    for (const auto& relation : group) {
      m_providers[relation.name].push_back(
          {id, relation.relation == VersionRelation::equal ? relation.version : std::string_view()});
    }
  }
  m_packages.push_back(package);
}

void PackageIndex::add(std::string text, std::uint32_t source, Kind kind, const std::string& where) {
  m_texts.push_back(std::make_unique<const std::string>(std::move(text)));
  ParagraphReader reader(*m_texts.back(), where);
  Paragraph paragraph;
  while (reader.next(paragraph)) {
    if (kind == Kind::installed && !is_installed(paragraph)) continue;
    Package package;
    package.installed = kind == Kind::installed;
    package.source = source;
    package.stanza = paragraph.text();
    for (const auto& [name, value] : paragraph.fields()) {
      const auto is = [&name = name](std::string_view wanted) { return same_field(name, wanted); };
      if (is("Package"))
        package.name = value;
      else if (is("Version"))
        package.version = value;
      else if (is("Architecture"))
        package.architecture = value;
      else if (is("Multi-Arch"))
        package.multi_arch = value;
      else if (is("Priority"))
        package.priority = value;
      else if (is("Pre-Depends"))
        package.pre_depends = value;
      else if (is("Depends"))
        package.depends = value;
      else if (is("Recommends"))
        package.recommends = value;
      else if (is("Provides"))
        package.provides = value;
      else if (is("Conflicts"))
        package.conflicts = value;
      else if (is("Breaks"))
        package.breaks = value;
      else if (is("Filename"))
        package.filename = value;
      else if (is("SHA256"))
        package.sha256 = value;
      else if (is("Essential"))
        package.essential = value == "yes";
      else if (is("Size"))
        package.size = parse_uint(value).value_or(0);
    }
    if (!is_package_name(package.name) || !is_version(package.version) || package.architecture.empty()) {
      fail(ErrorCode::schema_violation, "{}: a stanza has no proper Package, Version and Architecture: '{}'", where,
           printable(package.stanza.substr(0, 120)));
    }
    add_package(package);
  }
}

const std::vector<PackageId>& PackageIndex::named(std::string_view name) const {
  static const std::vector<PackageId> none;
  const auto found = m_by_name.find(name);
  return found == m_by_name.end() ? none : found->second;
}

const std::vector<PackageIndex::Provider>& PackageIndex::providers(std::string_view name) const {
  static const std::vector<Provider> none;
  const auto found = m_providers.find(name);
  return found == m_providers.end() ? none : found->second;
}

std::optional<std::string> PackageIndex::nearest_name(std::string_view name) const {
  std::vector<std::string_view> known;
  for (const auto& [other, ids] : m_by_name) {
    if (!other.empty() && !name.empty() && other.front() == name.front()) known.push_back(other);
  }
  std::sort(known.begin(), known.end());
  return nearest(name, known);
}

}  // namespace liftlock::apt
