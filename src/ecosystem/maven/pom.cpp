#include "ecosystem/maven/pom.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/license_text.hpp"
#include "ecosystem/xml.hpp"

namespace liftlock::maven {
namespace {

constexpr std::size_t k_max_depth = 100;
constexpr std::size_t k_max_listed = 10'000;
constexpr std::size_t k_max_text = 1000;
constexpr int k_max_unfolding = 20;
constexpr int k_max_lookups = 100;
constexpr std::size_t k_max_licenses = 20;
constexpr std::string_view k_where = "the POM";

// Old POMs name HTML's letters (&oslash;), which nobody declares, and encodings that Maven knows and expat does not.
constexpr XmlForm k_form{.max_depth = k_max_depth,
                         .max_text = 64u << 10,
                         .malformed = ErrorCode::package_malformed,
                         .entities = XmlForm::Unknown::pass_over,
                         .encodings = XmlForm::Unknown::pass_over};

class PomListener : public XmlListener {
 public:
  void begin(std::string_view path, const XmlAttributes&) override {
    if (path.find('/') == std::string_view::npos && path != "project")
      fail(ErrorCode::package_malformed, "it is no POM, but <{}>", printable(path.substr(0, 100)));
    if (path == "project/parent") once(path), m_pom.parent.emplace();
    if (path == "project/licenses/license") m_license = {}, m_license_url = {};
    if (path == k_dependency || path == k_managed) m_now = {};
  }

  void end(std::string_view path, std::string_view text) override {
    if (!path.starts_with(k_top)) return;
    const auto below = path.substr(k_top.size());
    if (coordinate(below, {}, m_pom.own, text)) return once(path);
    if (m_pom.parent && coordinate(below, "parent/", *m_pom.parent, text)) return once(path);
    if (below == "licenses/license/name") m_license = license_text(text);
    if (below == "licenses/license/url") m_license_url = license_text(text);
    if (below == "licenses/license") add_license();
    constexpr std::string_view k_properties = "properties/";
    if (below.starts_with(k_properties)) property(below.substr(k_properties.size()), text);
    if (!dependency(path, k_dependency, text, m_pom.dependencies))
      (void)dependency(path, k_managed, text, m_pom.managed);
  }

  Pom take() { return std::move(m_pom); }

 private:
  static constexpr std::string_view k_top = "project/";
  static constexpr std::string_view k_dependency = "project/dependencies/dependency";
  static constexpr std::string_view k_managed = "project/dependencyManagement/dependencies/dependency";

  /// Two readers could take one each.
  void once(std::string_view path) {
    if (!m_seen.emplace(path).second)
      fail(ErrorCode::package_malformed, "the POM has <{}> twice", path.substr(path.rfind('/') + 1));
  }

  static std::string kept(std::string_view text) {
    if (text.size() > k_max_text)
      fail(ErrorCode::limit_exceeded, "the POM has a text of {} bytes where a name is expected", text.size());
    return std::string(text);
  }

  static bool coordinate(std::string_view path, std::string_view prefix, Coordinates& out, std::string_view text) {
    if (!path.starts_with(prefix)) return false;
    const auto name = path.substr(prefix.size());
    auto* place = name == "groupId"      ? &out.group
                  : name == "artifactId" ? &out.artifact
                  : name == "version"    ? &out.version
                                         : nullptr;
    if (place == nullptr) return false;
    *place = kept(text);
    return true;
  }

  void property(std::string_view name, std::string_view text) {
    // What is too long, or has elements within, is nobody's version.
    if (name.find('/') != std::string_view::npos || text.size() > k_max_text) return;
    if (m_pom.properties.size() >= k_max_listed) fail(ErrorCode::limit_exceeded, "the POM has too many properties");
    m_pom.properties.insert_or_assign(std::string(name), std::string(text));
  }

  bool dependency(std::string_view path, std::string_view at, std::string_view text, std::vector<PomDependency>& out) {
    if (path == at) {
      if (out.size() >= k_max_listed) fail(ErrorCode::limit_exceeded, "the POM has too many dependencies");
      out.push_back(std::move(m_now));
      return true;
    }
    if (path.size() <= at.size() || !path.starts_with(at) || path[at.size()] != '/') return false;
    const auto name = path.substr(at.size() + 1);
    if (coordinate(name, {}, m_now.what, text)) return true;
    if (name == "scope") m_now.scope = kept(text);
    if (name == "type") m_now.type = kept(text);
    if (name == "classifier") m_now.classifier = kept(text);
    if (name == "optional") m_now.optional = text == "true";
    return true;
  }

  void add_license() {
    auto& stated = m_license.empty() ? m_license_url : m_license;
    if (!stated.empty() && m_pom.licenses.size() < k_max_licenses) m_pom.licenses.push_back(std::move(stated));
  }

  Pom m_pom;
  PomDependency m_now;
  std::string m_license, m_license_url;
  std::set<std::string, std::less<>> m_seen;
};

Json to_json(const Coordinates& what) {
  return {what.group, what.artifact, what.version};
}

Coordinates coordinates_from(const Json& json) {
  if (!json.is_array() || json.size() < 3 ||
      !std::all_of(json.begin(), json.begin() + 3, [](const Json& one) { return one.is_string(); })) {
    fail(ErrorCode::schema_violation, "{}: coordinates are three texts", k_where);
  }
  return {json[0].get<std::string>(), json[1].get<std::string>(), json[2].get<std::string>()};
}

Json to_json(const std::vector<PomDependency>& all) {
  auto out = Json::array();
  for (const auto& one : all) {
    auto json = to_json(one.what);
    json.push_back(one.scope);
    json.push_back(one.type);
    json.push_back(one.classifier);
    json.push_back(one.optional);
    out.push_back(std::move(json));
  }
  return out;
}

std::vector<PomDependency> dependencies_from(const Json& pom, std::string_view key) {
  std::vector<PomDependency> out;
  for (const auto& one : array_member(pom, key, k_where)) {
    PomDependency dependency{.what = coordinates_from(one), .scope = {}, .type = {}, .classifier = {}};
    const auto is_text = [](const Json& part) { return part.is_string(); };
    if (one.size() != 7 || !std::all_of(one.begin() + 3, one.begin() + 6, is_text) || !one[6].is_boolean())
      fail(ErrorCode::schema_violation, "{}: a dependency is malformed", k_where);
    dependency.scope = one[3].get<std::string>();
    dependency.type = one[4].get<std::string>();
    dependency.classifier = one[5].get<std::string>();
    dependency.optional = one[6].get<bool>();
    out.push_back(std::move(dependency));
  }
  return out;
}

/// Replaces ${name} in one text; the bounds hold for all that it unfolds to, for properties that multiply may end in
/// nothing at all.
class Unfolding {
 public:
  explicit Unfolding(const Lookup& lookup) : m_lookup(lookup) {}

  std::optional<std::string> operator()(std::string_view text, int depth = 0) {
    std::string out;
    while (true) {
      const auto open = text.find("${");
      out += text.substr(0, open);
      if (out.size() > k_max_text) return std::nullopt;
      if (open == std::string_view::npos) return out;
      const auto close = text.find('}', open);
      if (close == std::string_view::npos || depth >= k_max_unfolding || ++m_lookups > k_max_lookups)
        return std::nullopt;
      const auto found = m_lookup(text.substr(open + 2, close - open - 2));
      const auto whole = found ? (*this)(*found, depth + 1) : std::nullopt;
      if (!whole) return std::nullopt;
      out += *whole;
      text.remove_prefix(close + 1);
    }
  }

 private:
  const Lookup& m_lookup;
  int m_lookups = 0;
};

}  // namespace

Coordinates Pom::coordinates() const {
  auto out = own;
  if (parent && out.group.empty()) out.group = parent->group;
  if (parent && out.version.empty()) out.version = parent->version;
  return out;
}

Pom parse_pom(std::string_view text) {
  if (text.size() > k_max_pom) fail(ErrorCode::limit_exceeded, "the POM is larger than {}", format_size(k_max_pom));
  PomListener listener;
  read_xml(text, listener, std::string(k_where), k_form);
  return listener.take();
}

Json to_json(const Pom& pom) {
  Json out = {{"own", to_json(pom.own)},
              {"licenses", pom.licenses},
              {"properties", pom.properties},
              {"dependencies", to_json(pom.dependencies)},
              {"managed", to_json(pom.managed)}};
  if (pom.parent) out["parent"] = to_json(*pom.parent);
  return out;
}

Pom pom_from_json(const Json& json) {
  Pom out{.own = coordinates_from(member(json, "own", k_where)),
          .parent = std::nullopt,
          .licenses = {},
          .properties = {},
          .dependencies = dependencies_from(json, "dependencies"),
          .managed = dependencies_from(json, "managed")};
  if (json.contains("parent")) out.parent = coordinates_from(json.at("parent"));
  for (const auto& one : array_member(json, "licenses", k_where)) {
    if (one.is_string()) out.licenses.push_back(one.get<std::string>());
  }
  for (const auto& [name, value] : object_member(json, "properties", k_where).items()) {
    if (value.is_string()) out.properties.emplace(name, value.get<std::string>());
  }
  return out;
}

std::optional<std::string> interpolated(std::string_view text, const Lookup& lookup) {
  return Unfolding(lookup)(text);
}

std::optional<std::string> look_up(const Pom& pom, std::string_view name) {
  const auto member_of = [](const Coordinates& what, std::string_view key) -> std::optional<std::string> {
    if (key == "groupId") return what.group;
    if (key == "artifactId") return what.artifact;
    if (key == "version") return what.version;
    return std::nullopt;
  };
  if (const auto found = pom.properties.find(std::string(name)); found != pom.properties.end()) return found->second;
  for (const std::string_view prefix : {"project.parent.", "pom.parent.", "parent."}) {
    if (pom.parent && name.starts_with(prefix)) return member_of(*pom.parent, name.substr(prefix.size()));
  }
  for (const std::string_view prefix : {"project.", "pom.", ""}) {
    if (!name.starts_with(prefix)) continue;
    if (auto found = member_of(pom.coordinates(), name.substr(prefix.size()))) return found;
  }
  return std::nullopt;
}

void require_coordinates(const Pom& pom, std::string_view name, std::string_view version) {
  const auto stated = pom.coordinates();
  const auto colon = name.find(':');
  const auto lookup = [&](std::string_view key) { return look_up(pom, key); };
  const std::array<std::array<std::string_view, 3>, 3> k_all = {
      {{"groupId", stated.group, name.substr(0, colon)},
       {"artifactId", stated.artifact, colon == std::string_view::npos ? "" : name.substr(colon + 1)},
       {"version", stated.version, version}}};
  for (const auto& [what, text, wanted] : k_all) {
    const auto said = interpolated(text, lookup);
    if (!said || *said == wanted) continue;
    fail(ErrorCode::package_malformed, "the POM says {} '{}', and lies where '{}' has its own", what, printable(*said),
         printable(wanted));
  }
}

}  // namespace liftlock::maven
