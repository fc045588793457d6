#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/engine_view.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
  bool force = false;
};

/// Does a process of this machine have a file of this folder as its program? Of other users' processes only root knows.
bool is_running(const fs::path& folder) {
  std::error_code ignored;
  struct stat program {};
  std::set<std::pair<dev_t, ino_t>> programs;
  for (const auto& file : fs::recursive_directory_iterator(folder / "usr", ignored)) {
    if (file.is_symlink(ignored) || ::stat(file.path().c_str(), &program) != 0) continue;
    if ((program.st_mode & S_IXUSR) != 0 && S_ISREG(program.st_mode)) programs.emplace(program.st_dev, program.st_ino);
  }
  for (const auto& process : fs::directory_iterator("/proc", ignored)) {
    // An engine has its folder as /usr, so that the path of its program says little; the file behind it says all.
    if (::stat((process.path() / "exe").c_str(), &program) != 0) continue;
    if (programs.contains({program.st_dev, program.st_ino})) return true;
  }
  return false;
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("engine remove", {Zone::ingest, Zone::production});
  site.require_own();
  if (options.name.find('/') == std::string::npos) {
    std::size_t versions = 0;
    for (const auto& one : engine::installed_engines(site.engines_folder()))
      versions += one.manifest.name == options.name;
    if (versions > 1) {
      throw Error(ErrorCode::ambiguous,
                  fmt::format("{} versions of '{}' are installed", versions, printable(options.name)),
                  "name one as `liftlock engine ls` shows it");
    }
  }
  const auto one = engine::find_engine(site.engines_folder(), options.name);
  const auto name = full_name(one);
  engine::Choices defaults(site.engine_defaults_file());
  std::vector<std::string> overridden;
  for (const auto& [format, history] : *defaults.all()) {
    if (history.back().value != name) continue;
    overridden.push_back("the default engine of " + format);
    if (options.force) continue;
    throw Error(ErrorCode::busy, fmt::format("{} is the default engine of {}", printable(name), format),
                "choose another one first (`liftlock engine default`), or give --force");
  }
  if (is_running(one.folder)) {
    if (!options.force) {
      throw Error(ErrorCode::busy, fmt::format("{} runs", printable(name)),
                  "unload its models first (`liftlock model unload`), or give --force: what runs stays until it ends");
    }
    overridden.emplace_back("an engine that runs");
  }
  Json detail = {{"package", one.facts.package}, {"force", options.force}};
  // The auditor's report begins with these.
  if (!overridden.empty()) detail["remark"] = fmt::format("force: {}", fmt::join(overridden, ", "));
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  logged_effect(log,
                {.type = "engine.remove",
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = name,
                 .detail = dump_json_line(detail)},
                [&] {
                  defaults.forget(name);
                  const auto gone = one.folder.parent_path() / (".removed-" + one.folder.filename().string());
                  remove_tree(gone);
                  rename_file(one.folder, gone);
                  remove_tree(gone);
                });
  invocation.print({{"engine", name}, {"removed", true}},
                   [&] { return fmt::format("{} is removed; its package stays in the store", printable(name)); });
}

}  // namespace

void add_engine_remove(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("remove", "Remove an installed engine; not the default one, nor one that runs");
  auto options = std::make_shared<Options>();
  command->add_option("ENGINE", options->name, "Name of an installed engine, or NAME/VERSION-VARIANT")->required();
  command->add_flag("--force", options->force, "Also when it is the default, or runs");
  command->footer("Example: liftlock engine remove llama/8941-cpu");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
