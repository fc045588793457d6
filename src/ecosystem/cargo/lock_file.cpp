#include "ecosystem/cargo/lock_file.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "ecosystem/cargo/crate_name.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::size_t k_max_packages = 50'000;
constexpr std::size_t k_max_source = 2048;

[[noreturn]] void malformed(std::string_view why) {
  throw Error(
      ErrorCode::unresolvable, fmt::format("Cargo.lock {}", why),
      "let cargo write it again: `cargo generate-lockfile`, or `cargo update --workspace` to keep the versions");
}

std::string text_of(const toml::table& table, std::string_view key, std::string_view whose) {
  const auto* node = table.get(key);
  if (node == nullptr) return {};
  const auto value = node->value<std::string>();
  if (!value || !node->is_string()) malformed(fmt::format("has a {} of {} that is no text", key, printable(whose)));
  return *value;
}

LockedPackage package_of(const toml::table& table) {
  LockedPackage out{
      .name = text_of(table, "name", "a package"), .version = {}, .source = {}, .checksum = {}, .dependencies = {}};
  if (!is_crate_name(out.name)) malformed(fmt::format("has '{}' for a name", printable(out.name.substr(0, 100))));
  out.version = text_of(table, "version", out.name);
  if (!is_crate_version(out.version)) {
    malformed(fmt::format("has '{}' for the version of {}", printable(out.version.substr(0, 100)), out.name));
  }
  out.source = text_of(table, "source", out.name);
  if (out.source.size() > k_max_source || printable(out.source) != out.source) {
    malformed(fmt::format("has a source of {} that is no address", out.shown()));
  }
  if (const auto checksum = text_of(table, "checksum", out.name); !checksum.empty()) {
    out.checksum = Digest::try_parse("sha256:" + checksum);
    if (!out.checksum) malformed(fmt::format("has a checksum of {} that is no SHA-256", out.shown()));
  }
  if (!out.source.empty() && !out.is_of_registry() && !out.is_of_git()) {
    malformed(fmt::format("takes {} from '{}', which is neither a registry nor git", out.shown(), out.source));
  }
  if (out.is_of_registry() && !out.checksum) {
    malformed(
        fmt::format("has no checksum beside {} (lock files of cargo before 1.41 keep them elsewhere)", out.shown()));
  }
  return out;
}

/// "name", "name version" or "name version (source)", as much as is needed to tell packages apart.
class Finder {
 public:
  explicit Finder(const std::vector<LockedPackage>& packages) : m_packages(packages) {
    for (std::size_t i = 0; i < packages.size(); ++i) m_by_name.emplace(packages[i].name, i);
  }

  std::size_t find(std::string_view reference) const {
    const auto words = split(reference, ' ');
    std::optional<std::size_t> found;
    const auto [begin, end] = m_by_name.equal_range(words[0]);
    for (auto at = begin; at != end; ++at) {
      const auto& package = m_packages[at->second];
      if (words.size() > 1 && package.version != words[1]) continue;
      if (words.size() > 2 && "(" + package.source + ")" != words[2]) continue;
      if (found) malformed(fmt::format("does not say which '{}' is meant", printable(reference.substr(0, 200))));
      found = at->second;
    }
    if (!found || words.size() > 3)
      malformed(fmt::format("lacks the package '{}'", printable(reference.substr(0, 200))));
    return *found;
  }

 private:
  const std::vector<LockedPackage>& m_packages;
  std::multimap<std::string, std::size_t, std::less<>> m_by_name;
};

auto key_of(const LockedPackage& package) {
  return std::tie(package.name, package.version, package.source);
}

}  // namespace

LockFile parse_lock_file(std::string_view text) {
  if (text.size() > k_max_lock_file) malformed("is too large to be one");
  const auto document = parse_toml(text, ErrorCode::unresolvable, "Cargo.lock ");
  LockFile out;
  if (const auto* version = document.get("version")) {
    const auto number = version->value<std::int64_t>();
    if (!number || *number < 2 || *number > 4) {
      throw Error(ErrorCode::unresolvable, "Cargo.lock has a version that is not read here; 2, 3 and 4 are",
                  "bring a newer Liftlock, or write the lock with an older cargo");
    }
    out.version = static_cast<std::uint64_t>(*number);
  }
  const auto* list = document.get_as<toml::array>("package");
  if (list == nullptr) {
    if (document.contains("package")) malformed("has a package that is no list");
    return out;
  }
  if (list->size() > k_max_packages) malformed(fmt::format("has more than {} packages", k_max_packages));
  std::vector<std::pair<LockedPackage, const toml::table*>> read;
  for (const auto& node : *list) {
    const auto* table = node.as_table();
    if (table == nullptr) malformed("has a package that is no table");
    read.emplace_back(package_of(*table), table);
  }
  std::sort(read.begin(), read.end(), [](const auto& a, const auto& b) { return key_of(a.first) < key_of(b.first); });
  for (auto& [package, table] : read) {
    if (!out.packages.empty() && key_of(out.packages.back()) == key_of(package))
      malformed(fmt::format("has {} twice", package.shown()));
    out.packages.push_back(std::move(package));
  }
  const Finder finder(out.packages);
  for (std::size_t i = 0; i < read.size(); ++i) {
    const auto* node = read[i].second->get("dependencies");
    if (node == nullptr) continue;
    const auto* dependencies = node->as_array();
    if (dependencies == nullptr)
      malformed(fmt::format("has dependencies of {} that are no list", out.packages[i].shown()));
    std::set<std::size_t> found;
    for (const auto& dependency : *dependencies) {
      const auto* reference = dependency.as_string();
      if (reference == nullptr)
        malformed(fmt::format("has a dependency of {} that is no text", out.packages[i].shown()));
      found.insert(finder.find(reference->get()));
    }
    out.packages[i].dependencies.assign(found.begin(), found.end());
  }
  return out;
}

std::vector<GitSource> git_sources(const LockFile& lock) {
  std::map<std::string, GitSource> found;
  for (const auto& package : lock.packages) {
    if (!package.is_of_git()) continue;
    auto& one = found[package.source];
    one.crates.push_back(package.shown());
    // "git+URL?branch=NAME#COMMIT", with tag or rev for branch, or none of them
    auto text = std::string_view(package.source).substr(4);
    if (const auto hash = text.find('#'); hash != std::string_view::npos) {
      one.commit = text.substr(hash + 1);
      text = text.substr(0, hash);
    }
    const auto query = text.find('?');
    one.url = text.substr(0, query);
    if (query == std::string_view::npos) continue;
    for (const auto part : split(text.substr(query + 1), '&')) {
      if (!part.starts_with("branch=") && !part.starts_with("tag=")) continue;
      const auto value = part.substr(part.find('=') + 1);
      one.reference = decode_percent(value).value_or(std::string(value));
    }
  }
  std::vector<GitSource> out;
  for (auto& [source, one] : found) out.push_back(std::move(one));
  return out;
}

bool is_default_registry(std::string_view source) {
  // The repository that the index once was; since then only its name, in every lock file.
  return matches_glob("registry+https://*/rust-lang/crates?io-index", source);
}

}  // namespace liftlock::cargo
