#include "ecosystem/npm/package_json.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/npm/package_name.hpp"

namespace liftlock::npm {
namespace {

constexpr int k_max_depth = 100;
constexpr std::size_t k_max_description = 1000;
constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

constexpr std::array<std::string_view, 18> k_members = {"name",
                                                        "version",
                                                        "description",
                                                        "license",
                                                        "licenses",
                                                        "dependencies",
                                                        "optionalDependencies",
                                                        "peerDependencies",
                                                        "peerDependenciesMeta",
                                                        "bundleDependencies",
                                                        "bundledDependencies",
                                                        "bin",
                                                        "directories",
                                                        "engines",
                                                        "os",
                                                        "cpu",
                                                        "libc",
                                                        "scripts"};

bool is_read(std::string_view member) {
  return std::find(k_members.begin(), k_members.end(), member) != k_members.end();
}

/// Builds the members that are read; the others only have to be JSON. Published packages hold duplicate keys in places
/// that nobody looks at; in those that are read, one of the two would be a lie to somebody.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Json take() { return std::move(m_root); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (m_depth == 1) m_skips = !is_read(name);
    if (m_skips) return true;
    const auto [place, is_new] = m_open.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!is_new) {
      fail(ErrorCode::json_duplicate_key, "the key '{}' stands twice in one object of package.json",
           printable(std::string_view(name).substr(0, 100)));
    }
    m_member = &place->second;
    return true;
  }

  bool parse_error(std::size_t byte, const std::string&, const Json::exception&) override {
    fail(ErrorCode::json_invalid, "package.json is not valid JSON at byte {}", byte);
  }

 private:
  bool add(Json value) {
    if (m_depth == 0) not_an_object();
    if (!m_skips) place(std::move(value));
    return true;
  }

  Json& place(Json value) {
    if (m_open.back()->is_array()) return m_open.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    return *m_member = std::move(value);
  }

  bool open(Json container) {
    if (m_depth >= k_max_depth) fail(ErrorCode::limit_exceeded, "package.json is nested deeper than {}", k_max_depth);
    if (m_depth++ == 0) {
      if (!container.is_object()) not_an_object();
      m_root = std::move(container);
      m_open.push_back(&m_root);
    } else if (!m_skips) {
      m_open.push_back(&place(std::move(container)));
    }
    return true;
  }

  bool close() {
    // Whether this one is skipped was decided at the key of depth 1 that it stands under.
    if (--m_depth == 0 || !m_skips) m_open.pop_back();
    return true;
  }

  [[noreturn]] static void not_an_object() { fail(ErrorCode::package_malformed, "package.json holds no object"); }

  Json m_root;
  std::vector<Json*> m_open;  ///< from the root inwards, without what is skipped
  Json* m_member = nullptr;
  int m_depth = 0;
  bool m_skips = false;
};

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? std::string(trim(found->get_ref<const std::string&>())) : "";
}

/// An object of strings; members of other types are left out.
void take_strings(Json& out, const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_object()) return;
  auto strings = Json::object();
  for (const auto& [name, value] : found->items()) {
    if (value.is_string()) strings[name] = value;
  }
  if (!strings.empty()) out[key] = std::move(strings);
}

/// A string or an array of strings, as an array.
Json list_of(const Json& json, const char* key) {
  auto out = Json::array();
  const auto found = json.find(key);
  if (found == json.end()) return out;
  if (found->is_string()) out.push_back(*found);
  if (!found->is_array()) return out;
  for (const auto& value : *found) {
    if (value.is_string()) out.push_back(value);
  }
  return out;
}

std::string license_of(const Json& json) {
  const auto one = [](const Json& value) -> std::string {
    if (value.is_string()) return std::string(trim(value.get_ref<const std::string&>()));
    return value.is_object() ? text_of(value, "type") : "";
  };
  if (const auto found = json.find("license"); found != json.end()) {
    if (auto text = one(*found); !text.empty()) return text;
  }
  std::string out;
  for (const auto* key : {"license", "licenses"}) {
    const auto found = json.find(key);
    if (found == json.end()) continue;
    if (!found->is_array()) return one(*found);
    for (const auto& value : *found) {
      if (const auto text = one(value); !text.empty()) out += (out.empty() ? "" : " OR ") + text;
    }
  }
  return out;
}

/// "bin": "cli.js" stands for a command of the package's own name.
void take_bin(Json& out, const Json& json, std::string_view name) {
  const auto found = json.find("bin");
  if (found == json.end()) return;
  if (found->is_string()) {
    out["bin"] = {{std::string(without_scope(name)), *found}};
  } else {
    take_strings(out, json, "bin");
  }
}

void take_peer_meta(Json& out, const Json& json) {
  const auto found = json.find("peerDependenciesMeta");
  if (found == json.end() || !found->is_object()) return;
  auto meta = Json::object();
  for (const auto& [name, value] : found->items()) {
    if (!value.is_object()) continue;
    if (const auto optional = value.find("optional"); optional != value.end() && optional->is_boolean()) {
      meta[name] = {{"optional", *optional}};
    }
  }
  if (!meta.empty()) out["peerDependenciesMeta"] = std::move(meta);
}

void take_bundled(Json& out, const Json& json) {
  for (const auto* key : {"bundleDependencies", "bundledDependencies"}) {
    const auto found = json.find(key);
    if (found == json.end()) continue;
    if (found->is_boolean()) {
      out["bundleDependencies"] = *found;
    } else if (auto list = list_of(json, key); !list.empty()) {
      out["bundleDependencies"] = std::move(list);
    }
    return;
  }
}

std::string clean_version(std::string_view text) {
  text = trim(text);
  while (!text.empty() && (text[0] == 'v' || text[0] == '=' || text[0] == ' ')) text.remove_prefix(1);
  const auto version = Version::parse(text);
  return version ? version->text() : std::string(text);
}

}  // namespace

PackageJson parse_package_json(std::string_view text) {
  if (text.size() > k_max_package_json) {
    fail(ErrorCode::limit_exceeded, "package.json is larger than {}", format_size(k_max_package_json));
  }
  if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
  Builder builder;
  Json::sax_parse(text, &builder);
  const auto json = builder.take();

  PackageJson out;
  out.name = text_of(json, "name");
  out.version = clean_version(text_of(json, "version"));
  if (!is_package_name(out.name)) {
    fail(ErrorCode::package_malformed, "'{}' in package.json is no package name", printable(out.name.substr(0, 300)));
  }
  if (!Version::parse(out.version)) {
    fail(ErrorCode::package_malformed, "'{}' in package.json is no version", printable(out.version.substr(0, 300)));
  }
  out.license = license_of(json);
  out.manifest = {{"name", out.name}, {"version", out.version}};
  if (auto description = text_of(json, "description"); !description.empty()) {
    description.resize(std::min(description.size(), k_max_description));
    while (!is_utf8(description)) description.pop_back();
    out.manifest["description"] = std::move(description);
  }
  if (!out.license.empty()) out.manifest["license"] = out.license;
  for (const auto* key : {"dependencies", "optionalDependencies", "peerDependencies", "engines"}) {
    take_strings(out.manifest, json, key);
  }
  take_peer_meta(out.manifest, json);
  take_bundled(out.manifest, json);
  take_bin(out.manifest, json, out.name);
  if (const auto folders = json.find("directories"); folders != json.end() && folders->is_object()) {
    if (const auto bin = text_of(*folders, "bin"); !bin.empty()) out.manifest["directories"] = {{"bin", bin}};
  }
  for (const auto* key : {"os", "cpu", "libc"}) {
    if (auto list = list_of(json, key); !list.empty()) out.manifest[key] = std::move(list);
  }
  if (const auto scripts = json.find("scripts"); scripts != json.end() && scripts->is_object()) {
    for (const auto* name : {"preinstall", "install", "postinstall"}) {
      if (auto command = text_of(*scripts, name); !command.empty()) out.install_scripts[name] = std::move(command);
    }
  }
  if (dump_json_line(out.manifest).size() > k_max_manifest) {
    fail(ErrorCode::limit_exceeded, "what package.json states of dependencies is larger than {}",
         format_size(k_max_manifest));
  }
  return out;
}

}  // namespace liftlock::npm
