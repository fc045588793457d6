#include "ecosystem/npm/install_check.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "ecosystem/npm/package_name.hpp"
#include "ecosystem/offline_client.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::npm {
namespace {

constexpr std::uint64_t k_max_lock = 128u << 20;
constexpr std::uint64_t k_max_manifest = 16u << 20;
constexpr int k_max_depth = 500;
constexpr std::size_t k_max_shown = 5;
constexpr std::string_view k_modules = "node_modules/";
constexpr std::string_view k_top = "packages/npm/";
constexpr std::string_view k_remedy =
    "`npm install --package-lock-only` beside the lock completes it; then lock and fetch again";

/// Of the folder that a path of the lock stands for; empty for one of the project's own folders.
std::string_view name_in(std::string_view path) {
  const auto at = path.rfind(k_modules);
  return at == std::string_view::npos ? std::string_view() : path.substr(at + k_modules.size());
}

bool stays_inside(std::string_view path) {
  return !path.empty() && RelPath::try_parse(path).has_value();
}

void copy_if_there(const fs::path& from, const fs::path& to, std::uint64_t max_bytes) {
  std::error_code ignored;
  if (!fs::is_regular_file(from, ignored)) return;
  fs::create_directories(to.parent_path());
  write_file_atomically(to, read_file(from, max_bytes));
}

/// Settings such as legacy-peer-deps count; credentials are nobody's business here.
void copy_npmrc(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  if (!fs::is_regular_file(from, ignored)) return;
  std::string out;
  const auto text = read_file(from, 1u << 20);
  for (const auto raw : split(text, '\n')) {
    const auto line = trim(raw);
    if (!line.starts_with("//") && !line.starts_with("_")) out += std::string(line) + "\n";
  }
  write_file_atomically(to, out, 0600);
}

/// The project as npm sees it, in a folder of its own.
class Copy {
 public:
  Copy(const fs::path& project, const fs::path& folder) : m_project(project), m_folder(folder) {}

  /// Points the lock at the tarballs. false: the lock leads to files that are not below the project.
  bool fill(Json lock, const fs::path& lock_file, const std::vector<Artifact>& artifacts,
            const CollectContext& context) {
    std::map<std::pair<std::string, std::string>, const ArtifactFile*> tarballs;
    for (const auto& artifact : artifacts) tarballs[{artifact.name, artifact.version}] = &artifact.files.at(0);
    link_files(context, artifacts, k_top,
               m_folder / "liftlock-stack");  // npm takes what is not called .tgz for a folder
    for (auto& [path, entry] : lock["packages"].items()) {
      const auto resolved = text_in(entry, "resolved");
      if (entry.value("link", false) && !stays_inside(resolved)) return false;
      const auto in_tree = name_in(path);
      if (in_tree.empty()) {
        if (!path.empty() && !stays_inside(path)) return false;
        copy_if_there(m_project / path / "package.json", m_folder / path / "package.json", k_max_manifest);
        continue;
      }
      if (resolved.starts_with("file:")) {
        if (!stays_inside(std::string_view(resolved).substr(5))) return false;
        copy_if_there(m_project / resolved.substr(5), m_folder / resolved.substr(5), k_max_lock);
        continue;
      }
      auto name = text_in(entry, "name");
      const auto version = Version::parse(text_in(entry, "version"));
      if (!version) continue;
      const auto found = tarballs.find({name.empty() ? std::string(in_tree) : name, version->text()});
      if (found != tarballs.end())
        entry["resolved"] =
            "file:" +
            fs::absolute(m_folder / "liftlock-stack" / found->second->path.text().substr(k_top.size())).string();
    }
    copy_npmrc(m_project / ".npmrc", m_folder / ".npmrc");
    const auto name = lock_file.filename() == "npm-shrinkwrap.json" ? "npm-shrinkwrap.json" : "package-lock.json";
    write_file_atomically(m_folder / name, lock.dump());
    return true;
  }

 private:
  const fs::path& m_project;
  const fs::path& m_folder;
};

ProcessSpec npm(const fs::path& folder, std::vector<std::string> words) {
  ProcessSpec out;
  out.argv = std::move(words);
  out.set_environment = {{"npm_config_userconfig", (folder / "no-user-npmrc").string()},
                         {"npm_config_globalconfig", (folder / "no-global-npmrc").string()},
                         {"npm_config_cache", (folder / "npm-cache").string()},
                         {"npm_config_update_notifier", "false"}};
  out.unset_environment = {"npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config_omit", "NPM_CONFIG_OMIT",
                           "NODE_ENV"};
  out.working_folder = folder;
  return out;
}

/// What `npm ci` cannot do; empty: it did.
std::string install(const StackEntry& entry, const fs::path& folder, const NodePlatform& platform) {
  const auto omitted = entry.texts("omit");
  auto spec = npm(folder, {"npm", "ci", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links",
                           "--logs-max=0", "--loglevel=error", "--os=" + platform.os, "--cpu=" + platform.cpu});
  for (const auto* kind : {"dev", "optional", "peer"}) {
    const bool omit = std::find(omitted.begin(), omitted.end(), kind) != omitted.end();
    spec.argv.push_back(fmt::format("--{}={}", omit ? "omit" : "include", kind));
  }
  // npm 9 and before write "npm ERR!".
  const auto answer =
      run_offline(spec, {.prefixes = {"npm error", "npm ERR!"},
                         .lines = {"code E", "errno E", "Clean install a project", "A complete log of this run",
                                   "Log files were not written", "/", "Run \"npm help"},
                         .end = "Usage:"});
  remove_tree(folder / "node_modules");
  return answer.done ? std::string() : answer.words;
}

}  // namespace

std::vector<Missing> optional_packages_left_out(const Json& packages, const NodePlatform& platform) {
  std::vector<Missing> out;
  if (!packages.is_object()) return out;
  const auto is_there = [&](std::string path, const std::string& name) {
    for (;;) {
      if (packages.contains((path.empty() ? "" : path + "/") + std::string(k_modules) + name)) return true;
      if (path.empty()) return false;
      const auto up = path.rfind("/" + std::string(k_modules));
      path = up == std::string::npos ? "" : path.substr(0, up);
    }
  };
  std::set<std::string> told;
  for (const auto& [path, entry] : packages.items()) {
    if (!entry.is_object()) continue;
    const auto wanted = entry.find("optionalDependencies");
    if (wanted == entry.end() || !wanted->is_object()) continue;
    std::vector<std::string> names;
    for (const auto& [name, range] : wanted->items()) {
      const auto parts = "-" + to_lower(without_scope(name)) + "-";
      const bool fits = parts.find("-" + platform.os + "-") != std::string::npos &&
                        parts.find("-" + platform.cpu + "-") != std::string::npos;
      if (fits && !is_there(path, name) && told.insert(name).second) names.push_back(name);
    }
    if (names.empty()) continue;
    std::string list;
    for (std::size_t i = 0; i < names.size() && i < k_max_shown; ++i)
      list += (i == 0 ? "" : ", ") + printable(names[i]);
    out.push_back({fmt::format("the lock leaves out optional packages for {}-{} that {} wants: {}{}; npm installs "
                               "without them and says nothing. Remove node_modules and the lock, run `npm install`, "
                               "then lock and fetch again",
                               platform.os, platform.cpu, path.empty() ? "the project" : printable(name_in(path)), list,
                               names.size() > k_max_shown ? " …" : ""),
                   ""});
  }
  return out;
}

CheckResult check_install(const StackEntry& entry, const fs::path& project, const std::vector<Artifact>& artifacts,
                          const std::vector<NodePlatform>& platforms, CollectContext& context) {
  std::error_code ignored;
  if (!find_program("npm") || !fs::is_regular_file(project / "package.json", ignored)) return {};
  const auto lock_file = stack_path(entry.text("lock"), context.stack_folder);
  const auto lock = parse_json(read_file(lock_file, k_max_lock), {.max_bytes = k_max_lock, .max_depth = k_max_depth});
  const ScratchFolder scratch(context.scratch, "npm-" + portable_component(entry.name));
  Copy copy(project, scratch.path());
  if (!copy.fill(lock, lock_file, artifacts, context)) return {};
  CheckResult out;
  for (const auto& platform : platforms) {
    for (auto& left : optional_packages_left_out(lock.at("packages"), platform)) out.missing.push_back(std::move(left));
    const auto words = install(entry, scratch.path(), platform);
    if (words.empty()) continue;
    out.missing.push_back({fmt::format("npm ci does not install them without a network: {}{}{}", words,
                                       words.ends_with('.') ? " " : ": ", k_remedy),
                           ""});
    break;
  }
  if (!out.missing.empty()) return out;
  auto version = npm(scratch.path(), {"npm", "--version"});
  out.proven = fmt::format("{} without a network (npm ci, npm {})",
                           counted(artifacts.size(), "package installs", "packages install"),
                           printable(trim(run_process(version).output)));
  return out;
}

}  // namespace liftlock::npm
