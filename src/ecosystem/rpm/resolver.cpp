#include "ecosystem/rpm/resolver.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/rpm/unknown_package.hpp"
#include "ecosystem/without_network.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::size_t k_shown = 1500;  ///< bytes of what dnf says

/// Others bring repositories of their own ("local" all that this machine ever downloaded). The download command is one
/// of dnf 4's plugins, and built into dnf 5.
std::vector<std::string> without_plugins(const ProcessSpec& environment) {
  auto spec = environment;
  spec.argv = {"dnf", "--version"};
  const auto version = run_process_checked(spec).output;
  if (version.starts_with("dnf5") || version.starts_with("5.")) return {"--setopt=plugins=0"};
  return {"--disableplugin=*", "--enableplugin=download"};
}

/// Proxies, and all else that the caller's environment would tell dnf and Python, stay out.
ProcessSpec clean_environment(const fs::path& home) {
  const char* path = std::getenv("PATH");
  return {.argv = {},
          .set_environment = {{"PATH", path == nullptr ? "/usr/bin:/bin:/usr/sbin:/sbin" : path},
                              {"LC_ALL", "C.UTF-8"},
                              {"HOME", home.string()}},
          .clear_environment = true,
          .working_folder = home};
}

/// It becomes an argument of dnf, which would take paths, addresses and patterns, too.
void check_wanted(const std::string& text) {
  const bool plain = !text.empty() && !text.starts_with('-') && !text.ends_with(".rpm") &&
                     std::all_of(text.begin(), text.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              std::string_view("._+~^:-").find(c) != std::string_view::npos;
                     });
  if (plain) return;
  throw Error(ErrorCode::stack_invalid, fmt::format("'{}' names no package", printable(text)),
              "write NAME, NAME-VERSION, NAME-VERSION-RELEASE or NAME.ARCH");
}

/// What dnf says, as a message has it: its lines, without bullets and what says nothing.
std::string on_one_line(std::string_view said) {
  std::string out;
  for (auto line : split(said, '\n')) {
    line = trim(line);
    if (line.starts_with("- ")) line.remove_prefix(2);
    if (line.empty() || line == "Exiting due to strict setting.") continue;
    const std::string_view between = out.empty() ? "" : out.ends_with(':') ? " " : "; ";
    out += fmt::format("{}{}", between, printable(line.substr(0, k_shown)));
    if (out.size() > k_shown) return out + " …";
  }
  return out;
}

[[noreturn]] void refuse(const std::string& said, std::string_view architecture,
                         const std::vector<Repository>& repositories) {
  if (said.find("No such command") != std::string::npos) {
    throw Error(ErrorCode::tool_missing, "dnf has no `dnf download` here: " + on_one_line(said),
                "install dnf's core plugins (dnf-plugins-core)");
  }
  constexpr std::string_view k_begin = "No package ", k_end = " available.";
  for (auto line : split(said, '\n')) {
    line = trim(line);
    if (!line.starts_with(k_begin) || !line.ends_with(k_end)) continue;
    std::vector<SearchedRepository> searched;
    for (const auto& one : repositories) searched.push_back({one.url, &one.packages});
    line.remove_prefix(k_begin.size());
    throw unknown_package(line.substr(0, line.size() - k_end.size()), architecture, searched);
  }
  throw Error(ErrorCode::unresolvable, "dnf finds no set of packages: " + on_one_line(said),
              "name more repositories in `with`, or take the named packages only: dependencies = false");
}

}  // namespace

std::vector<Choice> resolve_with_dnf(const std::vector<Repository>& repositories,
                                     const std::vector<std::string>& wanted, std::string_view architecture,
                                     Dependencies dependencies, const fs::path& scratch) {
  std::string config = fmt::format(
      "[main]\ncachedir={0}/cache\nlogdir={0}/log\npersistdir={0}/persist\nreposdir=/dev/null\nvarsdir=/dev/null\n"
      "gpgcheck=0\nmetadata_expire=never\nbest=1\n",
      scratch.string());
  fs::create_directory(scratch / "log");
  for (std::size_t i = 0; i < repositories.size(); ++i) {
    config += fmt::format("[r{0}]\nname=r{0}\nbaseurl=file://{1}\nenabled=1\nrepo_gpgcheck=0\n", i,
                          repositories[i].folder.string());
  }
  write_file_atomically(scratch / "dnf.conf", config);
  auto spec = clean_environment(scratch);
  auto options = without_plugins(spec);
  spec.argv = {"dnf",
               "--quiet",
               "--config=" + (scratch / "dnf.conf").string(),
               "--installroot=" + (scratch / "root").string(),
               "--releasever=1",
               fmt::format("--forcearch={}", architecture)};
  for (auto& option : options) spec.argv.push_back(std::move(option));
  spec.argv.insert(spec.argv.end(), {"download", "--url", fmt::format("--arch={},noarch", architecture)});
  if (dependencies == Dependencies::take) spec.argv.insert(spec.argv.end(), {"--resolve", "--alldeps"});
  for (const auto& text : wanted) {
    check_wanted(text);
    spec.argv.push_back(text);
  }
  spec.argv = without_network(std::move(spec.argv), scratch);
  const auto result = run_process(spec);
  if (result.status != 0) refuse(result.error_output + "\n" + result.output, architecture, repositories);
  std::vector<Choice> out;
  for (const auto line : split(result.output, '\n')) {
    for (std::size_t i = 0; i < repositories.size(); ++i) {
      const auto begin = fmt::format("file://{}/", repositories[i].folder.string());
      if (line.starts_with(begin)) out.push_back({i, std::string(line.substr(begin.size()))});
    }
  }
  if (out.empty())
    fail(ErrorCode::unresolvable, "dnf took nothing of the repositories: {}", on_one_line(result.output));
  return out;
}

}  // namespace liftlock::rpm
