#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/offline_settings.hpp"
#include "net/address.hpp"
#include "offline/client_settings.hpp"
#include "quiet/switch_text.hpp"
#include "quiet/switches.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string form = "shell";
  bool with_mirror = false;
  std::string mirror;
};

std::map<std::string, std::string> variables_of(const Options& options) {
  if (!options.mirror.empty()) return offline::mirror_environment(checked_mirror_url(options.mirror));
  return quiet::quiet_environment(options.with_mirror ? quiet::Mirror::local : quiet::Mirror::none);
}

bool is_of_this_machine(const std::string& mirror) {
  const auto address = HttpAddress::parse(checked_mirror_url(mirror));
  return address && (address->host == "localhost" || address->host == "::1" || address->host.starts_with("127."));
}

bool is_for_containers(quiet::EnvironmentForm form) {
  return form != quiet::EnvironmentForm::shell && form != quiet::EnvironmentForm::systemd;
}

void run(Invocation& invocation, const Options& options) {
  const auto variables = variables_of(options);
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
  if (!options.mirror.empty() && is_for_containers(*form) && is_of_this_machine(options.mirror)) {
    invocation.reporter().warn(
        "a container has a loopback of its own: this address leads to the mirror with `--network host` alone; give "
        "--mirror the name or address that others reach it by");
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
      ->add_option("--form", options->form,
                   "shell (exports), systemd (EnvironmentFile), dockerfile (ENV), compose (environment),\n"
                   "env-file (--env-file of docker and podman), containers (containers.conf), document (the table)")
      ->type_name("{shell,systemd,dockerfile,compose,env-file,containers,document}")
      ->capture_default_str();
  command->add_flag("--with-mirror", options->with_mirror,
                    "Without those that keep clients from an index altogether: they are pointed at the mirror");
  command
      ->add_option("--mirror", options->mirror,
                   "Also what leads pip, uv, npm, go, git and Hugging Face clients to the mirror at this address: for\n"
                   "containers, which `liftlock offline` does not reach")
      ->type_name("URL");
  command->footer(
      "What each of them stops, and where its program reads it: docs/formats/telemetry.md.\n"
      "Examples:\n"
      "  liftlock render telemetry --form systemd > /etc/liftlock/quiet.env\n"
      "  liftlock render telemetry --mirror https://mirror.example:8443 --form env-file > mirror.env");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
