#include "offline/client_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "net/address.hpp"
#include "os/process.hpp"

namespace liftlock::offline {
namespace {

constexpr std::array<std::string_view, 3> k_rpm_programs = {"dnf", "dnf5", "yum"};

std::string maven_settings(const std::string& mirror) {
  if (mirror.empty()) return "<settings><offline>true</offline></settings>\n";
  return fmt::format(
      "<settings><mirrors><mirror><id>liftlock</id><mirrorOf>*</mirrorOf><url>{}/maven/</url></mirror></mirrors>"
      "</settings>\n",
      mirror);
}

/// One word of a shell, whatever it holds.
std::string shell_word(std::string_view word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Lines of a shell script before helm runs: repositories that its arguments name by an address are the mirror's, but
/// for those of the loopback: what is here stays here.
constexpr std::string_view k_lead_repositories = R"sh(
lead() {
  case $word in
    http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]* | "http://[::1]"*) ;;
    https://127.0.0.1 | https://127.0.0.1[:/]* | https://localhost | https://localhost[:/]* | "https://[::1]"*) ;;
    http://* | https://*) word=$charts ;;
  esac
}
for word do
  shift
  case $before in --repo) lead ;; esac
  case $word in
    --repo=*) word=${word#--repo=} && lead && word=--repo=$word ;;
    -*) ;;
    *)
      case "$said " in *" repo add "*) lead ;; esac
      said="$said $word" ;;
  esac
  before=$word
  set -- "$@" "$word"
done
)sh";

/// The registries.conf that ours stands in for, without what it says of registries: how names without one are read.
/// (What lies in registries.conf.d is read all the same.)
toml::table own_registries_conf(const std::map<std::string, std::string>& environment) {
  const auto variable = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  std::error_code ignored;
  fs::path file = variable("CONTAINERS_REGISTRIES_CONF");
  if (file.empty()) file = fs::path(variable("HOME")) / ".config/containers/registries.conf";
  if (!fs::exists(file, ignored)) file = "/etc/containers/registries.conf";
  try {
    auto out = parse_toml(read_file(file, 1u << 20), ErrorCode::schema_violation);
    out.erase("registry");
    out.erase("registries");  // of version 1, which does not mix with ours
    return out;
  } catch (const Error&) {
    return {};  // none, or none that they would take
  }
}

}  // namespace

WantedLists wanted_lists() {
  bool rpm = find_program("zypper").has_value();
  for (const auto name : k_rpm_programs) rpm = rpm || find_program(std::string(name));
  return {.apt = find_program("apt-get").has_value(),
          .rpm = rpm,
          .charts = find_program("helm").has_value(),
          .images = find_program("skopeo") || find_program("podman") || find_program("buildah"),
          .maven = find_program("java").has_value()};
}

fs::path ClientFiles::write(const fs::path& name, std::string_view text) {
  const auto file = m_folder / name;
  fs::create_directories(file.parent_path());
  write_file_atomically(file, text);
  return file;
}

void ClientFiles::add_program(const std::string& name, const std::vector<std::string>& options,
                              const std::string& before) {
  const auto real = find_program(name);
  if (!real) return;
  std::string words;
  for (const auto& option : options) words += " " + shell_word(option);
  const auto file = write(fs::path("bin") / name, fmt::format("#!/bin/sh\n{}exec {}{} \"$@\"\n", before,
                                                              shell_word(fs::absolute(*real).string()), words));
  fs::permissions(file, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read |
                            fs::perms::others_exec);
  m_out.programs = file.parent_path();
}

void ClientFiles::put_programs_first(const std::map<std::string, std::string>& environment) {
  if (m_out.programs.empty()) return;
  const auto path = environment.find("PATH");
  m_out.set["PATH"] =
      fmt::format("{}:{}", m_out.programs.string(), path == environment.end() ? "/usr/bin:/bin" : path->second);
}

void ClientFiles::point_maven() {
  const auto settings = write("maven-settings.xml", maven_settings(m_mirror)).string();
  // Read by the script `mvn` of Maven 3.9 and later; before, an option is the only way.
  m_out.set["MAVEN_ARGS"] = fmt::format("--settings {}", settings);
  add_program("mvn", {"--settings", settings});
}

void ClientFiles::point_npm(const std::set<std::string>& scopes) {
  const auto registry = m_mirror + "/npm/";
  // Proxies of an .npmrc have no variable that takes them back.
  if (const auto address = HttpAddress::parse(m_mirror)) m_out.set["npm_config_noproxy"] = address->host;
  for (const auto* name : {"YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"}) m_out.set[name] = "";
  if (scopes.empty()) return;
  std::vector<std::string> options;
  for (const auto& scope : scopes) {
    m_out.set[fmt::format("npm_config_{}:registry", scope)] = registry;
    options.push_back(fmt::format("--{}:registry={}", scope, registry));
  }
  // A shell between us and npm may drop variables of such names (dash does), and npm reads '_' in them as '-'.
  for (const auto* name : {"npm", "npx"}) add_program(name, options);
}

void ClientFiles::point_git(const std::map<std::string, std::string>& environment) {
  const auto given = environment.find("GIT_CONFIG_COUNT");
  auto count = given == environment.end() ? 0 : parse_uint(given->second).value_or(0);
  const auto lead = [&](std::string_view from, std::string_view to) {
    m_out.set[fmt::format("GIT_CONFIG_KEY_{}", count)] = fmt::format("url.{}.insteadOf", to);
    m_out.set[fmt::format("GIT_CONFIG_VALUE_{}", count)] = from;
    ++count;
  };
  for (const std::string_view from : {"https://", "http://", "git://", "ssh://", "git@"})
    lead(from, m_mirror + "/git/-/");
  // Of several that fit git takes the longest: what is here, and the mirror itself, is asked where it is.
  for (const std::string_view host : {"127.0.0.1", "localhost", "[::1]"}) {
    for (const std::string_view scheme : {"http://", "https://"}) {
      for (const std::string_view after : {"/", ":"}) {
        const auto here = fmt::format("{}{}{}", scheme, host, after);
        lead(here, here);
      }
    }
  }
  lead(m_mirror + "/", m_mirror + "/");
  // A proxy of the user's or the machine's configuration lies outside.
  m_out.set[fmt::format("GIT_CONFIG_KEY_{}", count)] = "http.proxy";
  m_out.set[fmt::format("GIT_CONFIG_VALUE_{}", count++)] = "";
  m_out.set["GIT_CONFIG_COUNT"] = std::to_string(count);
}

void ClientFiles::point_apt(const AptLists& lists, const std::map<std::string, std::string>& environment) {
  const auto folder = m_folder / "apt";
  const auto key = write("apt/mirror-key.asc", lists.key);
  std::string sources;
  for (const auto& suite : lists.suites)
    sources += fmt::format("deb [signed-by={}] {}/debian {} main\n", key.string(), m_mirror, suite);
  write("apt/sources.list", sources);
  fs::create_directories(folder / "lists" / "partial");
  const auto address = HttpAddress::parse(m_mirror);
  std::string text;
  // Files of the machine are read after this one; what they say of a proxy is not for a host that has an own line.
  if (const auto given = environment.find("APT_CONFIG"); given != environment.end() && !given->second.empty())
    text += fmt::format("#include \"{}\";\n", given->second);
  text += fmt::format(
      "Dir::Etc::SourceList \"{0}/sources.list\";\nDir::Etc::SourceParts \"/dev/null\";\n"
      "Dir::State::Lists \"{0}/lists\";\nDir::Cache::pkgcache \"\";\nDir::Cache::srcpkgcache \"\";\n"
      "Acquire::http::Proxy::{1} \"DIRECT\";\nAcquire::https::Proxy::{1} \"DIRECT\";\n",
      folder.string(), address ? address->host : "");
  m_out.set["APT_CONFIG"] = write("apt/apt.conf", text).string();
  if (::geteuid() == 0)
    fs::permissions(m_folder, fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
}

void ClientFiles::point_rpm(const std::vector<RpmRepository>& repositories) {
  std::string text;
  for (const auto& repository : repositories) {
    text += fmt::format(
        "[liftlock-{0}]\nname=Liftlock: {0}\nbaseurl={1}/rpm/{0}\nenabled=1\nproxy=_none_\n"
        "repo_gpgcheck=1\ngpgcheck=1\npkg_gpgcheck=1\n",
        repository.name, m_mirror);
    std::string_view before = "gpgkey=";
    for (const auto& key : repository.keys) {
      text += fmt::format("{}{}/rpm/{}\n", before, m_mirror, key);
      before = "       ";
    }
  }
  const auto folder = write("rpm/liftlock.repo", text).parent_path().string();
  for (const auto name : k_rpm_programs) add_program(std::string(name), {"--setopt=reposdir=" + folder});
  add_program("zypper", {"--reposd-dir", folder});
}

void ClientFiles::point_helm(const std::string& index, const std::vector<std::string>& names) {
  std::set<std::string> all(names.begin(), names.end());
  all.insert("liftlock");
  auto repositories = Json::array();
  for (const auto& name : all) {
    if (!is_plain_name(name)) continue;  // a file is called by it
    repositories.push_back({{"name", name}, {"url", m_mirror + "/charts/"}});
    m_out.set["HELM_REPOSITORY_CACHE"] =
        write(fmt::format("helm/cache/{}-index.yaml", name), index).parent_path().string();
  }
  const Json file = {
      {"apiVersion", ""}, {"generated", "2026-01-01T00:00:00Z"}, {"repositories", std::move(repositories)}};
  // JSON is YAML.
  m_out.set["HELM_REPOSITORY_CONFIG"] = write("helm/repositories.yaml", dump_json(file)).string();
  // `--repo URL` goes past that list, and `repo add` adds to it.
  add_program("helm", {},
              fmt::format("before='' said='' charts={}{}", shell_word(m_mirror + "/charts/"), k_lead_repositories));
}

void ClientFiles::point_containers(const std::set<std::string>& registries,
                                   const std::map<std::string, std::string>& environment) {
  const auto address = HttpAddress::parse(m_mirror);
  if (!address || !address->path.empty()) return;  // /v2/ stands at the top, to every client
  const auto here = m_mirror.substr(m_mirror.find("://") + 3);
  std::ostringstream text;
  text << own_registries_conf(environment) << "\n\n";
  const auto lead = [&](const std::string& prefix, const std::string& location) {
    text << fmt::format("[[registry]]\nprefix = \"{}\"\nlocation = \"{}\"\ninsecure = {}\n", prefix, location,
                        !address->tls);
  };
  lead(here, here);
  for (const auto& registry : registries) {
    auto folder = registry;
    std::replace(folder.begin(), folder.end(), ':', '_');
    lead(registry, here + "/" + folder);
  }
  const auto file = write("registries.conf", text.str()).string();
  m_out.set["CONTAINERS_REGISTRIES_CONF"] = file;
  add_program("skopeo", {"--registries-conf", file});  // it does not read the variable
}

}  // namespace liftlock::offline
