#include "offline/client_settings.hpp"

#include <fmt/format.h>

#include "net/address.hpp"
#include "offline/cargo_home.hpp"
#include "offline/client_files.hpp"
#include "offline/npm_scopes.hpp"
#include "quiet/switches.hpp"

namespace liftlock::offline {
namespace {

std::string host_of(const std::string& mirror) {
  const auto begin = mirror.find("://") + 3;
  return mirror.substr(begin, mirror.find('/', begin) - begin);
}

void lead_by_variables(const std::string& mirror, std::map<std::string, std::string>& set) {
  set["LIFTLOCK_MIRROR"] = mirror;
  set["PIP_INDEX_URL"] = mirror + "/simple/";
  if (mirror.starts_with("http://")) set["PIP_TRUSTED_HOST"] = host_of(mirror);
  set["UV_DEFAULT_INDEX"] = mirror + "/simple/";
  set["npm_config_registry"] = mirror + "/npm/";
  set["npm_config_replace_registry_host"] = "always";
  // Files of the user may say that they are offline.
  set["UV_OFFLINE"] = "false";
  set["npm_config_offline"] = "false";
  set["GOPROXY"] = mirror + "/go";
  set["HF_ENDPOINT"] = mirror + "/hf";
  // Settings of every version of Yarn from 2.0 on: it refuses to run where a variable names one that it does not know.
  set["YARN_NPM_REGISTRY_SERVER"] = mirror + "/npm";
  const auto address = HttpAddress::parse(mirror);
  if (address && !address->tls) set["YARN_UNSAFE_HTTP_WHITELIST"] = address->host;
  set["COREPACK_NPM_REGISTRY"] = mirror + "/npm";
  set["COREPACK_INTEGRITY_KEYS"] = "0";  // the signatures of its own registry are not carried
}

/// Whether there is a mirror or not.
void keep_to_it(std::map<std::string, std::string>& set) {
  set["PIP_CONFIG_FILE"] = "/dev/null";  // no file of the machine or the user
  set["GOVCS"] = "*:off";
  // What a file of `go env -w GOPRIVATE` names would go past the proxy, and past "off", too. (The checksum database is
  // off for all.)
  set["GONOPROXY"] = "none";
}

}  // namespace

std::map<std::string, std::string> mirror_environment(const std::string& mirror) {
  ClientSettings out;
  out.set = quiet::quiet_environment(quiet::Mirror::local);
  keep_to_it(out.set);
  lead_by_variables(mirror, out.set);
  out.set["CARGO_NET_OFFLINE"] = "true";  // only a file would lead it
  ClientFiles(mirror, {}, out).point_git({});
  return std::move(out.set);
}

ClientSettings client_settings(const std::string& mirror, const fs::path& folder,
                               const std::map<std::string, std::string>& environment, const MirrorLists& lists,
                               const std::vector<std::string>& chart_repositories) {
  ClientSettings out;
  out.set = quiet::quiet_environment(mirror.empty() ? quiet::Mirror::none : quiet::Mirror::local);
  // A proxy would be asked in place of the mirror, and lies outside.
  for (const auto* name :
       {"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY",
        "npm_config_proxy", "npm_config_https_proxy", "NPM_CONFIG_PROXY", "NPM_CONFIG_HTTPS_PROXY", "PIP_PROXY"}) {
    out.unset.emplace_back(name);
  }
  // Other indexes than the mirror's.
  for (const auto* name : {"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL",
                           "UV_INDEX_URL", "GOPRIVATE", "GONOSUMDB", "NPM_CONFIG_REGISTRY",
                           "NPM_CONFIG_REPLACE_REGISTRY_HOST", "NPM_CONFIG_NOPROXY", "NPM_CONFIG_OFFLINE"}) {
    out.unset.emplace_back(name);
  }
  ClientFiles files(mirror, folder, out);
  files.point_maven();
  keep_to_it(out.set);
  if (mirror.empty()) {
    out.unset.emplace_back("LIFTLOCK_MIRROR");
    files.put_programs_first(environment);
    return out;
  }
  for (const auto& one : quiet::all_switches()) {
    if (!one.mirror_variable.empty()) out.unset.emplace_back(one.variable);
  }
  out.set["CARGO_NET_OFFLINE"] = "false";  // unset would leave it to files
  lead_by_variables(mirror, out.set);
  files.point_npm(npm_scopes(environment, fs::current_path()));
  const auto users = environment.find("CARGO_HOME");
  const auto home = environment.find("HOME");
  if (users != environment.end() || home != environment.end()) {
    make_cargo_home(mirror, folder / "cargo",
                    users != environment.end() ? fs::path(users->second) : fs::path(home->second) / ".cargo",
                    environment, fs::current_path());
    out.set["CARGO_HOME"] = (folder / "cargo").string();
  }
  out.set["CARGO_HTTP_PROXY"] = "";                  // nor one that a configuration names
  out.set["CARGO_NET_GIT_FETCH_WITH_CLI"] = "true";  // git is led to the mirror, the library in cargo is not
  files.point_git(environment);
  if (lists.apt) files.point_apt(*lists.apt, environment);
  if (lists.rpm) files.point_rpm(*lists.rpm);
  if (lists.charts) files.point_helm(*lists.charts, chart_repositories);
  if (lists.registries) files.point_containers(*lists.registries, environment);
  if (lists.maven) out.set["MVNW_REPOURL"] = mirror + "/maven";
  files.put_programs_first(environment);
  return out;
}

}  // namespace liftlock::offline
