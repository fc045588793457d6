#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "dockerfile/lint.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using dockerfile::Level;

struct Options {
  std::string file;
  std::string context;
  bool rules = false;
};

void print_rules(Invocation& invocation) {
  auto json = Json::array();
  for (const auto& rule : dockerfile::all_rules()) {
    json.push_back({{"id", rule.id}, {"level", name_of(rule.level)}, {"what", rule.what}, {"remedy", rule.remedy}});
  }
  invocation.print(json, [] { return dockerfile::rules_markdown(); });
}

void run(Invocation& invocation, const Options& options) {
  if (options.rules) return print_rules(invocation);
  if (options.file.empty()) fail(ErrorCode::usage, "name the Dockerfile");
  const auto text = read_file(options.file, dockerfile::k_max_bytes);
  const auto file = with_context(options.file, [&] { return dockerfile::parse_dockerfile(text); });
  dockerfile::IsThere is_there;
  if (!options.context.empty()) {
    is_there = [&](const std::string& path) {
      std::error_code ignored;
      return fs::exists(fs::path(options.context) / fs::path(path).relative_path(), ignored);
    };
  }
  const auto findings = dockerfile::lint(file, is_there);
  auto json = Json::array();
  std::string out;
  std::size_t grave = 0;
  for (const auto& one : findings) {
    if (one.rule->level != Level::note) ++grave;
    json.push_back({{"rule", one.rule->id},
                    {"level", name_of(one.rule->level)},
                    {"line", one.line},
                    {"message", printable(one.message)},
                    {"what", one.rule->what},
                    {"remedy", one.rule->remedy}});
    out +=
        fmt::format("{}:{}: {} [{}] {}: {}\n  instead: {}\n", printable(options.file), one.line,
                    name_of(one.rule->level), one.rule->id, one.rule->what, printable(one.message), one.rule->remedy);
  }
  invocation.print({{"file", printable(options.file)}, {"good", grave == 0}, {"findings", json}}, [&] {
    if (grave > 0) return out + fmt::format("{} to mend\n", counted(grave, "thing"));
    return out + "good: nothing is wrong with it\n";
  });
  if (grave > 0) invocation.set_status(static_cast<int>(ErrorClass::policy));
}

}  // namespace

void add_lint(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("lint", "Find what goes wrong in files of other programs");
  group->require_subcommand(1);
  auto* command = group->add_subcommand("dockerfile", "Caches that do not cache, and steps that need a network");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "The Dockerfile");
  command->add_option("--context", options->context, "Folder of the build context: is what is copied there?")
      ->type_name("FOLDER");
  command->add_flag("--rules", options->rules, "List the rules");
  command->footer(
      "Exit status 3: there are errors or warnings; notes alone are no reason. Variables are not expanded, and shell "
      "is\n"
      "only split into commands: what hides behind either is not seen.\n"
      "Example: liftlock lint dockerfile Dockerfile --context .");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
