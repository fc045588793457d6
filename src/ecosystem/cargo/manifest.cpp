#include "ecosystem/cargo/manifest.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/lock_file.hpp"

namespace liftlock::cargo {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t k_max_dependencies = 20'000;
constexpr std::size_t k_max_features = 50'000;

[[noreturn]] void malformed(std::string_view why) {
  fail(ErrorCode::package_malformed, "Cargo.toml {}", why);
}

std::string text_of(const toml::table& table, std::string_view key) {
  const auto* node = table.get(key);
  if (node == nullptr) return {};
  const auto* text = node->as_string();
  if (text == nullptr) malformed(fmt::format("has a '{}' that is no text", key));
  if (!is_utf8(text->get())) malformed(fmt::format("has a '{}' that is no UTF-8", key));
  return text->get();
}

bool flag_of(const toml::table& table, std::string_view key, std::string_view old_key, bool otherwise) {
  const auto* node = table.get(key);
  if (node == nullptr && !old_key.empty()) node = table.get(old_key);
  if (node == nullptr) return otherwise;
  const auto* flag = node->as_boolean();
  if (flag == nullptr) malformed(fmt::format("has a '{}' that is neither true nor false", key));
  return flag->get();
}

std::vector<std::string> texts_of(const toml::node& node, std::string_view what) {
  const auto* list = node.as_array();
  if (list == nullptr) malformed(fmt::format("has {} that is no list", what));
  std::vector<std::string> out;
  for (const auto& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr || !is_utf8(text->get())) malformed(fmt::format("has {} with something that is no text", what));
    out.push_back(text->get());
  }
  return out;
}

const toml::table* table_of(const toml::table& table, std::string_view key) {
  const auto* node = table.get(key);
  if (node == nullptr) return nullptr;
  const auto* out = node->as_table();
  if (out == nullptr) malformed(fmt::format("has a '{}' that is no table", key));
  return out;
}

class ManifestReader {
 public:
  Manifest read(std::string_view text) {
    if (text.size() > k_max_manifest) malformed("is too large");
    const auto document = parse_toml(text, ErrorCode::package_malformed, "Cargo.toml ");
    read_package(document);
    read_dependencies(document, "");
    if (const auto* targets = table_of(document, "target")) {
      for (const auto& [target, node] : *targets) {
        const auto* table = node.as_table();
        if (table == nullptr) malformed("has a target that is no table");
        read_dependencies(*table, target.str());
      }
    }
    read_features(document);
    return std::move(m_out);
  }

 private:
  void read_package(const toml::table& document) {
    const auto* package = table_of(document, "package");
    if (package == nullptr) package = table_of(document, "project");  // until 2016
    if (package == nullptr) malformed("has no [package]");
    m_out.name = text_of(*package, "name");
    m_out.version = text_of(*package, "version");
    if (!is_crate_name(m_out.name) || !is_crate_version(m_out.version)) malformed("has no sound name and version");
    m_out.license = text_of(*package, "license");
    if (const auto file = text_of(*package, "license-file"); m_out.license.empty() && !file.empty()) {
      m_out.license = "see " + file;
    }
    m_out.description = text_of(*package, "description");
    m_out.links = text_of(*package, "links");
    m_out.rust_version = text_of(*package, "rust-version");
    if (const auto* build = package->get("build")) {
      const auto* flag = build->as_boolean();
      m_out.has_build_script = flag == nullptr || flag->get();
      m_out.may_have_build_script = false;
    }
    if (const auto* library = table_of(document, "lib")) {
      m_out.is_proc_macro =
          flag_of(*library, "proc-macro", "proc_macro", false) || flag_of(*library, "proc_macro", "", false) ||
          has_crate_type(*library, "crate-type", "proc-macro") || has_crate_type(*library, "crate_type", "proc-macro");
    }
  }

  static bool has_crate_type(const toml::table& target, std::string_view key, std::string_view type) {
    const auto* list = target.get_as<toml::array>(key);
    return list != nullptr &&
           std::any_of(list->begin(), list->end(), [&](const auto& node) { return node.value_or(""sv) == type; });
  }

  void read_dependencies(const toml::table& table, std::string_view target) {
    constexpr std::array<std::array<std::string_view, 2>, 5> k_tables = {{{"dependencies", "normal"},
                                                                          {"build-dependencies", "build"},
                                                                          {"build_dependencies", "build"},
                                                                          {"dev-dependencies", "dev"},
                                                                          {"dev_dependencies", "dev"}}};
    for (const auto& [key, kind] : k_tables) {
      const auto* list = table_of(table, key);
      if (list == nullptr) continue;
      for (const auto& [name, node] : *list) {
        if (m_out.dependencies.size() == k_max_dependencies) malformed("has too many dependencies");
        Dependency dependency{
            .name = std::string(name.str()), .kind = std::string(kind), .target = std::string(target)};
        if (read_dependency(node, dependency)) m_out.dependencies.push_back(std::move(dependency));
      }
    }
  }

  /// false: a path for the crate's own tests, which no registry has.
  static bool read_dependency(const toml::node& node, Dependency& out) {
    if (const auto* requirement = node.as_string()) {
      out.requirement = requirement->get();
    } else if (const auto* table = node.as_table()) {
      out.requirement = text_of(*table, "version");
      out.package = text_of(*table, "package");
      out.registry_index = text_of(*table, "registry-index");
      if (const auto* features = table->get("features")) out.features = texts_of(*features, "a list of features");
      out.optional = flag_of(*table, "optional", "", false);
      out.default_features = flag_of(*table, "default-features", "default_features", true);
      if (out.requirement.empty() && out.kind == "dev") return false;
    } else {
      malformed(fmt::format("has the dependency '{}' in no form that is known", printable(out.name)));
    }
    if (out.requirement.empty()) out.requirement = "*";
    const auto& package = out.package.empty() ? out.name : out.package;
    if (!is_crate_name(package) || !is_utf8(out.requirement)) {
      malformed(fmt::format("has the dependency '{}', which is no name of a crate", printable(package)));
    }
    return true;
  }

  void read_features(const toml::table& document) {
    const auto* table = table_of(document, "features");
    if (table == nullptr) return;
    if (table->size() > k_max_features) malformed("has too many features");
    for (const auto& [name, node] : *table) m_out.features[std::string(name.str())] = texts_of(node, "a feature");
  }

  Manifest m_out;
};

/// Without the scheme that says how the index is read: "registry+https://x" and "https://x" are one registry.
std::string_view address_of(std::string_view source) {
  return source.starts_with("registry+") ? source.substr(9) : source;
}

Json to_json(const Dependency& dependency, const IndexOrigin& origin) {
  Json out = {{"name", dependency.name},
              {"req", dependency.requirement},
              {"features", dependency.features},
              {"optional", dependency.optional},
              {"default_features", dependency.default_features},
              {"target", nullptr},
              {"kind", dependency.kind},
              {"registry", nullptr}};
  if (!dependency.target.empty()) out["target"] = dependency.target;
  if (!dependency.package.empty()) out["package"] = dependency.package;
  // null means the registry of this line; in Cargo.toml, naming none means the default registry.
  const bool own_is_default = origin.registry.empty() || is_default_registry(origin.registry);
  const auto own = address_of(origin.registry);
  if (dependency.registry_index.empty()) {
    if (!own_is_default && !origin.default_registry.empty()) out["registry"] = address_of(origin.default_registry);
  } else if (dependency.registry_index != own) {
    out["registry"] = dependency.registry_index;
  }
  return out;
}

}  // namespace

Manifest parse_manifest(std::string_view text) {
  return ManifestReader().read(text);
}

Json index_facts(const Manifest& manifest) {
  auto dependencies = Json::array();
  for (const auto& one : manifest.dependencies) {
    Json entry = {{"name", one.name}, {"req", one.requirement}};
    // What most say is left out: thousands of crates lie in a catalog.
    if (one.kind != "normal") entry["kind"] = one.kind;
    if (!one.package.empty()) entry["package"] = one.package;
    if (!one.target.empty()) entry["target"] = one.target;
    if (!one.registry_index.empty()) entry["registry_index"] = one.registry_index;
    if (!one.features.empty()) entry["features"] = one.features;
    if (one.optional) entry["optional"] = true;
    if (!one.default_features) entry["default_features"] = false;
    dependencies.push_back(std::move(entry));
  }
  Json out = {{"deps", std::move(dependencies)}, {"features", manifest.features}};
  if (!manifest.links.empty()) out["links"] = manifest.links;
  if (!manifest.rust_version.empty()) out["rust_version"] = manifest.rust_version;
  return out;
}

Manifest manifest_from_facts(const Json& facts, std::string_view name, std::string_view version) {
  constexpr std::string_view k_where = "facts.index";
  Manifest out;
  out.name = name;
  out.version = version;
  out.links = string_member_or(facts, "links", "", k_where);
  out.rust_version = string_member_or(facts, "rust_version", "", k_where);
  try {
    for (const auto& entry : array_member(facts, "deps", k_where)) {
      out.dependencies.push_back({.name = string_member(entry, "name", k_where),
                                  .package = string_member_or(entry, "package", "", k_where),
                                  .requirement = string_member(entry, "req", k_where),
                                  .kind = string_member_or(entry, "kind", "normal", k_where),
                                  .target = string_member_or(entry, "target", "", k_where),
                                  .registry_index = string_member_or(entry, "registry_index", "", k_where),
                                  .features = entry.value("features", std::vector<std::string>()),
                                  .optional = entry.value("optional", false),
                                  .default_features = entry.value("default_features", true)});
    }
    out.features = object_member(facts, "features", k_where).get<std::map<std::string, std::vector<std::string>>>();
  } catch (const Json::exception& error) {
    fail(ErrorCode::schema_violation, "{}: {}", k_where, printable(error.what()));
  }
  return out;
}

std::string index_line(const Manifest& manifest, const Digest& checksum, const IndexOrigin& origin) {
  auto dependencies = Json::array();
  for (const auto& dependency : manifest.dependencies) dependencies.push_back(to_json(dependency, origin));
  // Values that cargo before 1.60 does not know stand apart, so that it still reads the line.
  auto features = Json::object(), features2 = Json::object();
  for (const auto& [name, values] : manifest.features) {
    const bool is_new = std::any_of(values.begin(), values.end(), [](const std::string& value) {
      return value.starts_with("dep:") || value.find("?/") != std::string::npos;
    });
    (is_new ? features2 : features)[name] = values;
  }
  Json out = {{"name", manifest.name},   {"vers", manifest.version},        {"deps", std::move(dependencies)},
              {"cksum", checksum.hex()}, {"features", std::move(features)}, {"yanked", false}};
  if (!features2.empty()) {
    out["features2"] = std::move(features2);
    out["v"] = 2;
  }
  if (!manifest.links.empty()) out["links"] = manifest.links;
  if (!manifest.rust_version.empty()) out["rust_version"] = manifest.rust_version;
  return dump_json_line(out);
}

}  // namespace liftlock::cargo
