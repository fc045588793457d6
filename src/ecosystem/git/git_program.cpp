#include "ecosystem/git/git_program.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/tolerated.hpp"
#include "os/process.hpp"

namespace liftlock::git {
namespace {

/// What libcurl, as git calls it, takes from the environment.
constexpr std::array<const char*, 14> k_passed = {
    "PATH",     "TMPDIR",   "http_proxy",   "https_proxy",   "HTTPS_PROXY",    "all_proxy",      "ALL_PROXY",
    "no_proxy", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "LD_LIBRARY_PATH"};

/// Where a redirection may lead at most: what was asked over https is never answered over less.
std::string protocols_for(const std::vector<std::string>& arguments) {
  const auto names = [&](std::string_view scheme) {
    return std::any_of(arguments.begin(), arguments.end(), [&](const auto& one) { return one.starts_with(scheme); });
  };
  if (names("https://")) return "https";
  return names("http://") ? "http:https" : "file";
}

std::map<std::string, std::string> environment(const fs::path& home, const std::string& protocols) {
  std::map<std::string, std::string> out;
  for (const auto* name : k_passed) {
    if (const char* value = std::getenv(name)) out[name] = value;
  }
  if (out.count("GIT_SSL_CAINFO") == 0) {
    for (const auto* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {  // the last one wins, as in the Downloader
      if (out.count(name) != 0) out["GIT_SSL_CAINFO"] = out[name];
    }
  }
  out["HOME"] = home;
  out["XDG_CONFIG_HOME"] = home;
  out["GIT_CONFIG_NOSYSTEM"] = "1";
  out["GIT_CONFIG_GLOBAL"] = "/dev/null";
  out["GIT_ATTR_NOSYSTEM"] = "1";
  out["GIT_TERMINAL_PROMPT"] = "0";
  out["GIT_ASKPASS"] = "/bin/false";
  out["GIT_ALLOW_PROTOCOL"] = protocols;
  out["GIT_NO_REPLACE_OBJECTS"] = "1";
  out["GIT_ADVICE"] = "0";
  out["LC_ALL"] = "C";
  out["TZ"] = "UTC";
  return out;
}

}  // namespace

GitProgram::GitProgram(fs::path home) : m_home(std::move(home)) {
  make_folders(m_home);
  const char* named = std::getenv("NETRC");
  const char* user = std::getenv("HOME");
  const auto netrc = named != nullptr ? fs::path(named) : fs::path(user != nullptr ? user : "/nonexistent") / ".netrc";
  std::error_code ignored;
  if (fs::is_regular_file(netrc, ignored)) replace_symlink(fs::absolute(netrc), m_home / ".netrc");
}

std::string GitProgram::run(std::vector<std::string> arguments, const std::string& input,
                            std::uint64_t max_output) const {
  // Nothing of a repository's own configuration starts a program, and no background work is left behind.
  std::vector<std::string> argv = {"git",
                                   "-c",
                                   "core.hooksPath=/dev/null",
                                   "-c",
                                   "core.fsmonitor=false",
                                   "-c",
                                   "credential.helper=",
                                   "-c",
                                   "gc.auto=0",
                                   "-c",
                                   "maintenance.auto=false",
                                   "-c",
                                   "protocol.version=2",
                                   "-c",
                                   "fetch.recurseSubmodules=false",
                                   "-c",
                                   "http.followRedirects=initial",
                                   "-c",
                                   "advice.detachedHead=false"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_process_checked({.argv = std::move(argv),
                              .input = input,
                              .set_environment = environment(m_home, protocols_for(arguments)),
                              .unset_environment = {},
                              .clear_environment = true,
                              .working_folder = m_home,
                              .max_output = max_output,
                              .timeout = std::chrono::hours(6)})
      .output;
}

std::string GitProgram::version() const {
  const auto text = run({"--version"});
  constexpr std::string_view k_begin = "git version ";
  const auto line = trim(text);
  return std::string(line.starts_with(k_begin) ? line.substr(k_begin.size()) : line);
}

std::vector<std::string> fsck_settings(std::string_view section) {
  std::vector<std::string> out = {"-c", fmt::format("{}.fsckObjects=true", section)};
  for (const auto message : k_tolerated) {
    out.emplace_back("-c");
    out.push_back(fmt::format("{}.fsck.{}=ignore", section, message));
  }
  return out;
}

}  // namespace liftlock::git
