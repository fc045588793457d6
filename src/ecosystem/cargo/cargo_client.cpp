#include "ecosystem/cargo/cargo_client.hpp"

#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::size_t k_last_words = 1500;
constexpr unsigned k_least_minor = 68;  // the first with sparse registries

fs::path users_home() {
  if (const char* home = std::getenv("CARGO_HOME"); home != nullptr && *home != '\0') return home;
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/root") / ".cargo";
}

/// What cargo said it could not do, without its progress.
std::string last_words(const ProcessResult& result) {
  std::string out;
  for (const auto line : split(result.error_output, '\n')) {
    const auto words = trim(line);
    if (words.empty() || words.starts_with("Updating ") || words.starts_with("Download")) continue;
    out += (out.empty() ? "" : "; ") + printable(words);
  }
  if (out.size() > k_last_words) out = out.substr(0, k_last_words) + " …";
  return out;
}

/// "cargo 1.95.0 (f2d3ce0bd 2026-03-21)"
void check_version(const ProcessSpec& like) {
  auto spec = like;
  spec.argv = {"cargo", "--version"};
  const auto result = run_process(spec);
  const auto words = split(result.output, ' ');
  const auto numbers = words.size() > 1 ? split(words[1], '.') : std::vector<std::string_view>();
  const auto minor = numbers.size() > 1 ? parse_uint(numbers[1]) : std::nullopt;
  if (result.status != 0) fail(ErrorCode::tool_failed, "cargo --version: {}", last_words(result));
  if (!minor || (numbers[0] == "1" && *minor < k_least_minor)) {
    throw Error(ErrorCode::tool_missing,
                fmt::format("{} is older than 1.{}", printable(trim(result.output)), k_least_minor),
                "install a newer cargo, or name a sparse registry with `index` in the stack");
  }
}

/// registry/cache/REGISTRY/NAME-VERSION.crate and registry/index/REGISTRY/config.json below the home.
Downloads read_home(const fs::path& home) {
  Downloads out;
  std::error_code error;
  for (const auto& registry : fs::directory_iterator(home / "registry" / "cache", error)) {
    const auto folder = registry.path().filename().string();
    for (const auto& crate : fs::directory_iterator(registry.path())) {
      if (crate.is_regular_file())
        out.crates.emplace(crate.path().filename().string(), DownloadedCrate{crate.path(), folder});
    }
    const auto config = home / "registry" / "index" / folder / "config.json";
    if (fs::exists(config)) out.registries.emplace(folder, parse_registry_config(read_file(config, 1u << 20)));
  }
  return out;
}

}  // namespace

void link_configuration(const fs::path& home) {
  for (const auto* name : {"config.toml", "config", "credentials.toml", "credentials"}) {
    std::error_code error;
    const auto theirs = fs::absolute(users_home() / name);
    if (fs::exists(theirs, error)) fs::create_symlink(theirs, home / name);
  }
}

Downloads fetch_crates(const fs::path& project, const fs::path& home) {
  if (!fs::is_regular_file(project / "Cargo.toml")) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("'{}' has no Cargo.toml, which cargo reads beside Cargo.lock", printable(project.string())),
                "name the Cargo.lock in its workspace, or a sparse registry with `index`, which asks no cargo");
  }
  if (!find_program("cargo")) {
    throw Error(ErrorCode::tool_missing, "cargo is not installed",
                "install it, or name a sparse registry with `index` in the stack");
  }
  link_configuration(home);
  ProcessSpec spec;
  spec.argv = {"cargo", "fetch", "--locked", "--color", "never", "--manifest-path", (project / "Cargo.toml").string()};
  spec.set_environment = {{"CARGO_HOME", home.string()}, {"CARGO_TERM_PROGRESS_WHEN", "never"}};
  spec.unset_environment = {"CARGO_NET_OFFLINE", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"};
  spec.working_folder = project;  // where cargo looks for the project's own configuration
  check_version(spec);
  const auto result = run_process(spec);
  if (result.status != 0) fail(ErrorCode::unresolvable, "cargo fetch: {}", last_words(result));
  return read_home(home);
}

}  // namespace liftlock::cargo
