#include "offline/cargo_home.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"

namespace liftlock::offline {
namespace {

// No name that people give: of two sources of one name, the nearest to the project would count.
constexpr std::string_view k_mirror = "liftlock-offline";
constexpr std::string_view k_default = "crates-io";

/// The configuration in a folder; empty where there is none, or none that cargo would take.
toml::table configuration(const fs::path& folder) {
  std::error_code ignored;
  const auto old = folder / "config";  // comes first for cargo, too
  try {
    return parse_toml(read_file(fs::exists(old, ignored) ? old : folder / "config.toml", 1u << 20),
                      ErrorCode::schema_violation);
  } catch (const Error&) {
    return {};
  }
}

class Sources {
 public:
  /// Names and addresses of a table of tables: [source.NAME] registry, [registries.NAME] index.
  void take(const toml::table& configuration, std::string_view tables, std::string_view key) {
    const auto* named = configuration[tables].as_table();
    if (named == nullptr) return;
    for (const auto& [name, node] : *named) {
      const auto* one = node.as_table();
      if (const auto address = one != nullptr ? (*one)[key].value<std::string>() : std::nullopt)
        add(name.str(), *address);
    }
  }

  void take(const std::map<std::string, std::string>& environment) {
    constexpr std::string_view before = "CARGO_REGISTRIES_", after = "_INDEX";
    for (const auto& [variable, address] : environment) {
      if (!variable.starts_with(before) || !variable.ends_with(after)) continue;
      if (variable.size() <= before.size() + after.size()) continue;
      auto name = to_lower(variable.substr(before.size(), variable.size() - before.size() - after.size()));
      std::replace(name.begin(), name.end(), '_', '-');
      add(name, address);
    }
  }

  toml::table finish(const std::string& mirror) {
    m_table.insert(k_default, toml::table{{"replace-with", k_mirror}});
    m_table.insert(k_mirror, toml::table{{"registry", fmt::format("sparse+{}/cargo/", mirror)}});
    return std::move(m_table);
  }

 private:
  /// Cargo refuses two sources of one address, and of one name it needs one alone.
  void add(std::string_view name, const std::string& address) {
    if (name == k_default || name == k_mirror || address.starts_with("file:")) return;
    if (!m_addresses.insert(address.ends_with('/') ? address.substr(0, address.size() - 1) : address).second) return;
    m_table.insert(name, toml::table{{"registry", address}, {"replace-with", k_mirror}});
  }

  toml::table m_table;
  std::set<std::string> m_addresses;
};

}  // namespace

void make_cargo_home(const std::string& mirror, const fs::path& home, const fs::path& users,
                     const std::map<std::string, std::string>& environment, const fs::path& project) {
  fs::create_directories(home);
  std::error_code ignored;
  for (const auto* name : {"registry", "git", "bin", "env", "credentials.toml"}) {
    if (fs::exists(users / name, ignored)) fs::create_symlink(users / name, home / name, ignored);
  }
  std::vector<toml::table> configurations;  // the nearest first, as cargo has it
  bool is_above = false;
  for (auto folder = project;; folder = folder.parent_path()) {
    configurations.push_back(configuration(folder / ".cargo"));
    is_above = is_above || fs::equivalent(folder / ".cargo", users, ignored);
    if (folder == folder.parent_path()) break;
  }
  auto own = configuration(users);
  configurations.push_back(own);
  Sources sources;
  for (const auto& one : configurations) sources.take(one, "source", "registry");
  sources.take(environment);
  for (const auto& one : configurations) sources.take(one, "registries", "index");
  // Cargo reads what lies above the project by itself; lists that stood here, too, would count twice.
  if (is_above) own.clear();
  own.insert_or_assign("source", sources.finish(mirror));
  if (auto* net = own["net"].as_table()) net->erase("offline");
  std::ostringstream text;
  text << own << "\n";
  write_file_atomically(home / "config.toml", text.str(), 0600);  // tokens may stand in it
}

}  // namespace liftlock::offline
