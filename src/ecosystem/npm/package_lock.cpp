#include "ecosystem/npm/package_lock.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "ecosystem/npm/package_name.hpp"

namespace liftlock::npm {
namespace {

constexpr std::size_t k_max_lock = 128u << 20;
constexpr int k_max_depth = 500;  // version 2 repeats the tree nested as deep as node_modules is
constexpr std::size_t k_max_packages = 100'000;
constexpr std::size_t k_max_text = 4096;
constexpr std::size_t k_max_url = 2048;
constexpr std::string_view k_modules = "node_modules/";

[[noreturn]] void refuse(std::string_view file, std::string_view what, std::string_view hint) {
  throw Error(ErrorCode::stack_invalid, fmt::format("'{}' {}", printable(file), what), std::string(hint));
}

/// Locks of other clients, told by what they begin with.
void refuse_other_clients(std::string_view text, std::string_view file) {
  const auto name = to_lower(file.substr(file.rfind('/') == std::string_view::npos ? 0 : file.rfind('/') + 1));
  const auto head = text.substr(0, 400);
  constexpr std::string_view k_remedy =
      "make a package-lock.json from the same package.json: `npm install --package-lock-only` (npm 7 or later; it "
      "takes "
      "over the versions of a yarn.lock of Yarn 1 that lies there), and name that";
  if (name == "yarn.lock" || head.find("# yarn lockfile") != std::string_view::npos ||
      head.find("\n__metadata:") != std::string_view::npos) {
    refuse(file, "is a lock of Yarn, which is not read", k_remedy);
  }
  if (name == "pnpm-lock.yaml" || head.starts_with("lockfileVersion:")) {
    refuse(file, "is a lock of pnpm, which is not read", k_remedy);
  }
  if (name == "bun.lock" || name == "bun.lockb" || head.starts_with("#!/usr/bin/env bun")) {
    refuse(file, "is a lock of Bun, which is not read", k_remedy);
  }
  if (name == "package.json") refuse(file, "is no lock", "name the package-lock.json beside it");
}

bool flag(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_boolean() && found->get<bool>();
}

std::string text_of(const Json& entry, std::string_view key, std::size_t most, std::string_view where) {
  auto out = string_member_or(entry, key, "", where);
  if (out.size() > most) fail(ErrorCode::limit_exceeded, "{}: '{}' is longer than {} bytes", where, key, most);
  return out;
}

std::vector<std::string> list_of(const Json& entry, const char* key) {
  std::vector<std::string> out;
  const auto found = entry.find(key);
  if (found == entry.end()) return out;
  if (found->is_string()) out.push_back(found->get<std::string>());
  if (!found->is_array()) return out;
  for (const auto& value : *found) {
    if (value.is_string()) out.push_back(value.get<std::string>());
  }
  return out;
}

/// "@scope/name" of "node_modules/a/node_modules/@scope/name"; empty for a folder of the project.
std::string_view name_of_path(std::string_view path) {
  const auto at = path.rfind(k_modules);
  if (at == std::string_view::npos || (at > 0 && path[at - 1] != '/')) return {};
  return path.substr(at + k_modules.size());
}

class Reader {
 public:
  explicit Reader(std::string_view file) : m_file(file) {}

  PackageLock read(std::string_view text) {
    refuse_other_clients(text, m_file);
    const auto json = parse(text);
    check_version(json);
    const auto& packages = object_member(json, "packages", m_file);
    if (packages.size() > k_max_packages) {
      fail(ErrorCode::limit_exceeded, "'{}' has more than {} packages", printable(m_file), k_max_packages);
    }
    for (const auto& [path, entry] : packages.items()) {
      if (!entry.is_object()) fail(ErrorCode::schema_violation, "{}: '{}' is no object", m_file, printable(path));
      take(path, entry);
    }
    find_needs(packages);
    return sorted();
  }

 private:
  Json parse(std::string_view text) const {
    try {
      return parse_json(text, {.max_bytes = k_max_lock, .max_depth = k_max_depth});
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("'{}': {}", printable(m_file), error.message()),
                  "restore it from version control, or let `npm install --package-lock-only` write it anew");
    }
  }

  void check_version(const Json& json) const {
    const auto version = json.is_object() ? json.find("lockfileVersion") : json.end();
    if (!json.is_object() || version == json.end() || !version->is_number_unsigned()) {
      refuse(m_file, "has no lockfileVersion: it is no lock of npm", "name a package-lock.json or npm-shrinkwrap.json");
    }
    const auto number = version->get<std::uint64_t>();
    if (number == 1) {
      refuse(m_file, "has lockfileVersion 1 (npm 6 and before), which says too little",
             "`npm install --package-lock-only` with npm 7 or later writes it anew with the same versions");
    }
    if (number != 2 && number != 3) {
      refuse(m_file, fmt::format("has lockfileVersion {}, which is not known", number),
             "use an npm that writes version 3, or bring a newer Liftlock");
    }
  }

  void note(std::string text) { m_notes.push_back(std::move(text)); }

  void take(const std::string& path, const Json& entry) {
    const auto where = fmt::format("{}: '{}'", printable(m_file), printable(path.substr(0, 300)));
    const auto resolved = text_of(entry, "resolved", k_max_url, where);
    if (flag(entry, "link")) {
      note(fmt::format("{} is the folder '{}' of the project, which travels with its sources", printable(path),
                       printable(resolved)));
      return;
    }
    const auto in_tree = name_of_path(path);
    if (in_tree.empty() || flag(entry, "inBundle") || flag(entry, "extraneous")) return;
    LockedPackage package{.name = text_of(entry, "name", k_max_text, where),
                          .version = text_of(entry, "version", k_max_text, where),
                          .resolved = resolved,
                          .integrity = {},
                          .integrity_text = text_of(entry, "integrity", k_max_text, where)};
    if (package.name.empty()) package.name = in_tree;
    if (resolved.starts_with("file:")) {
      note(fmt::format("{} is taken from '{}', which travels with the project's sources", printable(path),
                       printable(resolved)));
      return;
    }
    if (!resolved.empty() && !resolved.starts_with("https://") && !resolved.starts_with("http://")) {
      throw Error(
          ErrorCode::stack_invalid,
          fmt::format("{} comes from '{}', and npm would ask for it there on the other side, too", where,
                      printable(resolved)),
          "publish it to a registry, or make a tarball of it (`npm pack`), carry that with the project and name it "
          "as file:NAME.tgz in package.json");
    }
    const auto version = Version::parse(package.version);
    if (!is_package_name(package.name) || !version) {
      fail(ErrorCode::schema_violation, "{} is '{}' in version '{}', which no registry has", where,
           printable(package.name.substr(0, 300)), printable(package.version.substr(0, 300)));
    }
    package.version = version->text();
    if (!package.integrity_text.empty()) {
      package.integrity = with_context(where, [&] { return Integrity::parse(package.integrity_text); });
    }
    package.deprecated = text_of(entry, "deprecated", 1u << 20, where);
    package.deprecated.resize(std::min<std::size_t>(package.deprecated.size(), 1000));
    while (!is_utf8(package.deprecated)) package.deprecated.pop_back();
    package.dev = flag(entry, "dev");
    package.optional = flag(entry, "optional");
    package.dev_optional = package.dev || package.optional || flag(entry, "devOptional");
    package.peer = flag(entry, "peer");
    package.os = list_of(entry, "os");
    package.cpu = list_of(entry, "cpu");
    m_paths[path] = add(std::move(package), where);
  }

  std::size_t add(LockedPackage package, std::string_view where) {
    const auto [place, is_new] = m_index.emplace(std::pair(package.name, package.version), m_packages.size());
    if (is_new) {
      m_packages.push_back(std::move(package));
      return place->second;
    }
    auto& known = m_packages[place->second];
    if (!known.integrity_text.empty() && !package.integrity_text.empty() &&
        known.integrity_text != package.integrity_text) {
      refuse(m_file, fmt::format("states two different contents of {}@{} ({})", known.name, known.version, where),
             "remove node_modules and the lock, and let npm make it anew");
    }
    if (known.integrity_text.empty()) {
      known.integrity = package.integrity;
      known.integrity_text = package.integrity_text;
    }
    if (known.resolved.empty()) known.resolved = package.resolved;
    known.dev = known.dev && package.dev;
    known.optional = known.optional && package.optional;
    known.dev_optional = known.dev_optional && package.dev_optional;
    known.peer = known.peer && package.peer;
    return place->second;
  }

  /// As node looks for a module: beside, then upwards.
  const std::size_t* find(std::string path, const std::string& name) const {
    for (;;) {
      const auto found = m_paths.find((path.empty() ? "" : path + "/") + std::string(k_modules) + name);
      if (found != m_paths.end()) return &found->second;
      if (path.empty()) return nullptr;
      const auto up = path.rfind("/" + std::string(k_modules));
      path = up == std::string::npos ? "" : path.substr(0, up);
    }
  }

  void find_needs(const Json& packages) {
    for (const auto& [path, index] : m_paths) {
      const auto& entry = packages[path];
      for (const auto* kind : {"dependencies", "optionalDependencies", "peerDependencies"}) {
        const auto wanted = entry.find(kind);
        if (wanted == entry.end() || !wanted->is_object()) continue;
        for (const auto& [name, range] : wanted->items()) {
          const auto* target = find(path, name);
          if (target != nullptr && *target != index) m_packages[index].needs.push_back(*target);
        }
      }
    }
  }

  PackageLock sorted() {
    std::vector<std::size_t> order(m_packages.size());
    std::vector<std::size_t> place(m_packages.size());
    std::size_t next = 0;
    for (const auto& [id, index] : m_index) {  // by name and version
      place[index] = next;
      order[next++] = index;
    }
    PackageLock out;
    for (const auto index : order) {
      auto package = std::move(m_packages[index]);
      for (auto& need : package.needs) need = place[need];
      std::sort(package.needs.begin(), package.needs.end());
      package.needs.erase(std::unique(package.needs.begin(), package.needs.end()), package.needs.end());
      out.packages.push_back(std::move(package));
    }
    out.notes = std::move(m_notes);
    return out;
  }

  std::string_view m_file;
  std::vector<LockedPackage> m_packages;
  std::map<std::pair<std::string, std::string>, std::size_t> m_index;
  std::map<std::string, std::size_t, std::less<>> m_paths;  ///< in the tree → index
  std::vector<std::string> m_notes;
};

/// npm-install-checks: one "!name" that fits refuses; without any that is not negated, the rest is taken.
bool takes(const std::vector<std::string>& list, std::string_view wanted) {
  if (list.empty() || (list.size() == 1 && list[0] == "any")) return true;
  bool taken = false;
  std::size_t negated = 0;
  for (const auto& item : list) {
    if (item.starts_with('!')) {
      ++negated;
      if (item.substr(1) == wanted) return false;
    } else if (item == wanted) {
      taken = true;
    }
  }
  return taken || negated == list.size();
}

}  // namespace

PackageLock parse_package_lock(std::string_view text, std::string_view file) {
  return Reader(file).read(text);
}

NodePlatform NodePlatform::of(std::string_view platform, std::string_view where) {
  const auto parts = split(platform, '/');
  if (parts.size() < 2) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: '{}' is no platform", where, printable(platform)),
                "write os/architecture, such as linux/amd64, or \"all\"");
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> k_cpus{
      {{"amd64", "x64"}, {"386", "ia32"}, {"ppc64le", "ppc64"}, {"mips64le", "mips64el"}, {"mipsle", "mipsel"}}};
  NodePlatform out{.os = std::string(parts[0] == "windows" ? "win32" : parts[0]), .cpu = std::string(parts[1])};
  for (const auto& [go, node] : k_cpus) {
    if (out.cpu == go) out.cpu = node;
  }
  return out;
}

bool is_for(const LockedPackage& package, const NodePlatform& platform) {
  return takes(package.os, platform.os) && takes(package.cpu, platform.cpu);
}

}  // namespace liftlock::npm
