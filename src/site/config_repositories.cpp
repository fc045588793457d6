#include <array>

#include "site/config.hpp"
#include "site/table_reader.hpp"

namespace liftlock {
namespace {

/// What a table may have besides kind and takes.
struct Kind {
  std::string_view name;
  bool is_folder;
  std::array<std::string_view, 3> keys;      ///< of this kind alone
  std::array<std::string_view, 1> required;  ///< of those
};

constexpr std::array k_kinds = {
    Kind{"oci", false, {"prefix"}, {}},   Kind{"pypi", false, {"index"}, {}},
    Kind{"npm", false, {}, {}},           Kind{"maven", false, {}, {}},
    Kind{"helm", false, {"prefix"}, {}},  Kind{"aptly", false, {"repository", "publish"}, {"repository"}},
    Kind{"reprepro", true, {"pool"}, {}}, Kind{"raw", false, {"layout", "path", "suffix"}, {}},
};
constexpr std::array<std::string_view, 5> k_http_keys = {"address", "ca_file", "login_file", "token_file",
                                                         "allow_http"};

std::string kind_names() {
  std::string out;
  for (const auto& kind : k_kinds) out += fmt::format("{}{}", out.empty() ? "" : ", ", kind.name);
  return out;
}

const Kind& kind_of(const toml::table& table, const std::string& where) {
  const auto* node = table.get("kind");
  const auto text = node == nullptr ? std::nullopt : node->value_exact<std::string>();
  for (const auto& kind : k_kinds) {
    if (text && *text == kind.name) return kind;
  }
  throw Error(ErrorCode::config_invalid,
              text ? fmt::format("config.toml line {}: {} cannot be of kind '{}'", node->source().begin.line,
                                 printable(where), printable(*text))
                   : fmt::format("config.toml: {} has no 'kind'", printable(where)),
              fmt::format("it is one of {}", kind_names()));
}

std::string required(const TableReader& reader, std::string_view key, const std::string& where,
                     std::string_view example) {
  const auto text = reader.get<std::string>(key).value_or("");
  if (text.empty()) {
    throw Error(ErrorCode::config_invalid, fmt::format("config.toml: {} has no '{}'", printable(where), key),
                fmt::format("{} = \"{}\"", key, example));
  }
  return text;
}

RepositoryConfig read_repository(const toml::table& table, const std::string& where) {
  const auto& kind = kind_of(table, where);
  std::vector<std::string_view> known = {"kind", "takes"};
  if (kind.is_folder) {
    known.push_back("folder");
  } else {
    known.insert(known.end(), k_http_keys.begin(), k_http_keys.end());
  }
  for (const auto key : kind.keys) {
    if (!key.empty()) known.push_back(key);
  }
  const TableReader reader(table, where, known);
  RepositoryConfig out{.table = where, .kind = std::string(kind.name)};
  out.takes = reader.texts("takes");
  if (kind.is_folder) {
    out.folder = required(reader, "folder", where, "/srv/apt/incoming");
    if (!out.folder->is_absolute()) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'folder' of {} is no absolute path", reader.line("folder"),
           printable(where));
    }
  } else {
    out.address = required(reader, "address", where, "https://repository.site.example:8443");
    if (const auto path = reader.get<std::string>("ca_file")) out.ca_file = *path;
    if (const auto path = reader.get<std::string>("login_file")) out.login_file = *path;
    if (const auto path = reader.get<std::string>("token_file")) out.token_file = *path;
    out.allow_http = reader.get<bool>("allow_http").value_or(false);
    if (out.login_file && out.token_file) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: {} has both 'login_file' and 'token_file'", printable(where)),
                  "name the one that the repository asks for");
    }
  }
  for (const auto key : kind.keys) {
    if (key.empty()) continue;
    if (key == kind.required[0]) (void)required(reader, key, where, "site");
    if (auto text = reader.get<std::string>(key)) out.of_its_kind.emplace(key, std::move(*text));
  }
  return out;
}

}  // namespace

std::string RepositoryConfig::text(std::string_view key) const {
  const auto found = of_its_kind.find(std::string(key));
  return found == of_its_kind.end() ? std::string() : found->second;
}

void read_repositories(const toml::table& table, SiteConfig& config) {
  for (const auto& [key, node] : table) {
    const auto where = fmt::format("[repository.{}]", std::string_view(key.str()));
    const auto* one = node.as_table();
    if (one == nullptr) fail(ErrorCode::config_invalid, "config.toml: {} must be a table", printable(where));
    config.repositories.emplace(key.str(), read_repository(*one, where));
  }
}

void read_registries(const toml::table& table, SiteConfig& config) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const auto where = fmt::format("[registry.{}]", name);
    const auto* one = node.as_table();
    if (one == nullptr) fail(ErrorCode::config_invalid, "config.toml: {} must be a table", printable(where));
    const TableReader reader(*one, where, {"address", "prefix", "ca_file", "login_file", "allow_http"});
    RepositoryConfig registry{.table = where, .kind = "oci"};
    registry.address = required(reader, "address", where, "https://registry.site.example:5000");
    if (const auto path = reader.get<std::string>("ca_file")) registry.ca_file = *path;
    if (const auto path = reader.get<std::string>("login_file")) registry.login_file = *path;
    registry.allow_http = reader.get<bool>("allow_http").value_or(false);
    if (auto prefix = reader.get<std::string>("prefix").value_or(""); !prefix.empty())
      registry.of_its_kind.emplace("prefix", std::move(prefix));
    if (!config.repositories.emplace(name, std::move(registry)).second) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: '{}' stands under [registry] and [repository]", printable(name)),
                  "keep [repository.NAME] with kind = \"oci\"");
    }
  }
}

}  // namespace liftlock
