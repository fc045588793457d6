// Repositories that the site runs, which `push` fills: [repository.NAME] of config.toml, and [registry.NAME], which is
// the older way to write kind = "oci". Format: docs/formats/push.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "site/site.hpp"

namespace liftlock {

struct RepositoryConfig {
  std::string table;                   ///< "[repository.pypi]": for errors
  std::string kind;                    ///< "oci", "pypi", "npm", "maven", "helm", "aptly", "reprepro", "raw"
  std::string address;                 ///< "https://pypi.site.example"; empty where it is a folder
  std::optional<fs::path> folder;      ///< of this machine, where the repository takes files from
  std::optional<fs::path> ca_file;     ///< PEM; needed for https
  std::optional<fs::path> login_file;  ///< its one line is USER:PASSWORD
  std::optional<fs::path> token_file;  ///< its one line is sent as a bearer token
  bool allow_http = false;             ///< also to other machines than this
  std::vector<std::string> takes;      ///< kinds of artifacts; empty: what `kind` is for
  std::map<std::string, std::string> of_its_kind;  ///< what else its kind has: "prefix", "index", "layout" …

  /// A key of its kind; empty when it is not there.
  std::string text(std::string_view key) const;
};

/// By name. @param config_text of config.toml. @throws Error{config_invalid, unknown_key}
std::map<std::string, RepositoryConfig, std::less<>> read_repositories(const std::string& config_text);
/// Those, and each [registry.NAME]. @throws Error{config_invalid} when a name stands in both tables
std::map<std::string, RepositoryConfig, std::less<>> repositories(const Site& site);

/// As settings_json() has it: "repository.pypi.address": "https://…". Paths, but never what the files hold.
Json repository_settings(const Site& site);

}  // namespace liftlock
