#include "ecosystem/cargo/fetch_check.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/cargo/cargo_client.hpp"
#include "ecosystem/cargo/crate_file.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/local_registry.hpp"
#include "ecosystem/cargo/lock_file.hpp"
#include "ecosystem/cargo/manifest.hpp"
#include "ecosystem/offline_client.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

/// The registries that the lock names, as it writes them.
std::set<std::string> registries_of(const LockFile& lock) {
  std::set<std::string> out;
  for (const auto& package : lock.packages) {
    if (package.is_of_registry()) out.insert(package.source);
  }
  return out;
}

void make_local_registry(const std::vector<Artifact>& artifacts, const CollectContext& context,
                         const fs::path& folder) {
  const auto layout = local_registry(artifacts, [&](const Artifact& crate) {
    const auto fd = context.store.open(crate.files.at(0).digest);
    auto facts = Json::object();
    facts[k_fact_index] = index_facts(check_crate(fd.get(), crate.name, crate.version).manifest);
    return facts;
  });
  link_files(context, artifacts, "packages/cargo/", folder);
  for (const auto& [path, text] : layout.documents) {
    fs::create_directories((folder / path).parent_path());
    write_file_atomically(folder / path, text);
  }
}

std::string text(const std::string& value) {
  return Json(value).dump();  // a TOML basic string has the same escapes
}

/// The options of cargo that put one source into the place of all registries.
std::vector<std::string> replacing(const std::set<std::string>& registries, const std::string& kind,
                                   const fs::path& folder) {
  std::vector<std::string> out = {"--config", fmt::format("source.liftlock.{}={}", kind, text(folder.string())),
                                  "--config", "source.crates-io.replace-with=\"liftlock\""};
  std::size_t count = 0;
  for (const auto& registry : registries) {
    if (is_default_registry(registry)) continue;
    const auto name = fmt::format("source.liftlock-{}", ++count);
    const auto address = registry.starts_with("registry+") ? registry.substr(9) : registry;
    out.insert(out.end(), {"--config", fmt::format("{}.registry={}", name, text(address)), "--config",
                           fmt::format("{}.replace-with=\"liftlock\"", name)});
  }
  return out;
}

}  // namespace

CheckResult check_fetch(const StackEntry& entry, const fs::path& lock_file, const std::vector<Artifact>& artifacts,
                        CollectContext& context) {
  const auto project = lock_file.parent_path();
  std::error_code ignored;
  if (artifacts.empty() || !find_program("cargo") || !fs::is_regular_file(project / "Cargo.toml", ignored)) return {};
  const auto lock = parse_lock_file(read_file(lock_file, k_max_lock_file));
  if (const auto git = git_sources(lock); !git.empty()) {
    // It would ask for the repository, which is not among the crates.
    return {.proven = fmt::format("{} as the lock states; cargo was not run, because {} comes from git",
                                  counted(artifacts.size(), "artifact is", "artifacts are"), git[0].crates[0]),
            .missing = {}};
  }
  const ScratchFolder scratch(context.scratch, "cargo-check-" + portable_component(entry.name));
  const auto home = scratch.path() / "home", folder = scratch.path() / "crates";
  fs::create_directory(home);
  fs::create_directory(folder);
  const auto registries = registries_of(lock);
  const bool vendored = artifacts[0].kind == "cargo-vendor";
  if (vendored) {
    run_process_checked({.argv = {"tar", "--extract", "--no-same-owner", "--file",
                                  fs::absolute(context.store.path(artifacts[0].files.at(0).digest)).string(),
                                  "--directory", folder.string()},
                         .input = {},
                         .set_environment = {},
                         .unset_environment = {},
                         .working_folder = {}});
  } else {
    make_local_registry(artifacts, context, folder);
  }
  const auto sources =
      replacing(registries, vendored ? "directory" : "local-registry", vendored ? folder / "vendor" : folder);
  ProcessSpec spec;
  const auto ask = [&](const std::string& word, const std::vector<std::string>& more) {
    spec.argv = {"cargo"};
    spec.argv.insert(spec.argv.end(), sources.begin(), sources.end());
    spec.argv.insert(spec.argv.end(), {word, "--quiet", "--locked", "--offline", "--color", "never", "--manifest-path",
                                       (project / "Cargo.toml").string()});
    spec.argv.insert(spec.argv.end(), more.begin(), more.end());
    return run_offline(spec, {.prefixes = {"error:", "Caused by:"}});
  };
  link_configuration(home);
  spec.set_environment = {{"CARGO_HOME", home.string()}, {"CARGO_TERM_PROGRESS_WHEN", "never"}};
  spec.unset_environment = {"CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"};
  spec.working_folder = project;
  const auto answer = ask("fetch", {});
  if (!answer.done) {
    if (answer.words.find("is already defined by") != std::string::npos) return {};
    return {.proven = {},
            .missing = {{fmt::format("cargo does not find all of them without a network: {}; `cargo fetch` beside the "
                                     "lock completes it, then lock and fetch again",
                                     answer.words),
                         ""}}};
  }
  const bool builds = entry.flag("build", false);
  if (builds) {
    const auto built = ask("build", {"--target-dir", (scratch.path() / "target").string()});
    if (!built.done) {
      return {
          .proven = {},
          .missing = {{fmt::format("cargo finds all of them, and does not build the workspace without a network: {}",
                                   built.words),
                       ""}}};
    }
  }
  auto version = spec;
  version.argv = {"cargo", "--version"};
  // "cargo 1.95.0 (f2d3ce0bd 2026-03-21)"
  const auto said = run_process(version).output;
  const auto words = split(said, ' ');
  return {.proven = fmt::format("{} without a network (cargo {} --locked{}){}",
                                vendored ? std::string("the vendored tree suffices")
                                         : counted(artifacts.size(), "crate suffices", "crates suffice"),
                                builds ? "build" : "fetch",
                                words.size() > 1 ? fmt::format(", cargo {}", printable(trim(words[1]))) : "",
                                builds ? "" : "; nothing was built"),
          .missing = {}};
}

}  // namespace liftlock::cargo
