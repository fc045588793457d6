#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "quiet/switch_text.hpp"
#include "quiet/switches.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string form = "shell";
  bool with_mirror = false;
};

void run(Invocation& invocation, const Options& options) {
  const auto variables = quiet::quiet_environment(options.with_mirror ? quiet::Mirror::local : quiet::Mirror::none);
  if (options.form == "document") {
    const auto text = quiet::table_document();
    invocation.print({{"table_version", quiet::k_table_version}, {"text", text}}, [&] { return text; });
    return;
  }
  const auto form = quiet::parse_form(options.form);
  if (!form) {
    throw Error(ErrorCode::usage, fmt::format("there is no form '{}'", printable(options.form)),
                fmt::format("the forms are {}, document", quiet::form_names()));
  }
  const auto text = quiet::environment_text(variables, *form);
  invocation.print(
      {{"table_version", quiet::k_table_version}, {"form", options.form}, {"variables", variables}, {"text", text}},
      [&] { return text; });
}

}  // namespace

void add_render_telemetry(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("telemetry", "The switches for telemetry, updates and downloads");
  auto options = std::make_shared<Options>();
  command
      ->add_option(
          "--form", options->form,
          "shell (exports), systemd (EnvironmentFile), dockerfile (ENV), compose (environment), document (the table)")
      ->type_name("{shell,systemd,dockerfile,compose,document}")
      ->capture_default_str();
  command->add_flag("--with-mirror", options->with_mirror,
                    "Without those that keep clients from an index altogether: they are pointed at the mirror");
  command->footer(
      "What each of them stops, and where its program reads it: docs/formats/telemetry.md.\n"
      "Example: liftlock render telemetry --form systemd > /etc/liftlock/quiet.env");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
