#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/command_words.hpp"
#include "cli/commands.hpp"
#include "cli/offline_settings.hpp"
#include "cli/output_file.hpp"
#include "ecosystem/yaml.hpp"
#include "offline/client_settings.hpp"
#include "offline/run.hpp"
#include "offline/run_history.hpp"
#include "quiet/switch_check.hpp"

namespace liftlock {
namespace {

using offline::Attempt;
using offline::RunRecord;

struct Options {
  std::vector<std::string> command;
  std::string mirror;
  std::vector<std::string> doors;
  std::string report;
  bool keep_settings = false;
};

Json to_json(const RunRecord& run) {
  return {{"started", format_time(run.started)},
          {"seconds", run.seconds},
          {"status", run.status},
          {"attempts", run.attempts},
          {"mirror_connections", run.connections},
          {"mirror_hits", run.hits},
          {"mirror_misses", run.misses},
          {"mirror_bytes", run.received}};
}

Json to_json(const Attempt& attempt) {
  return {{"kind", name_of(attempt.kind)},         {"program", printable(attempt.program)}, {"pid", attempt.pid},
          {"command", printable(attempt.command)}, {"target", printable(attempt.target)},   {"times", attempt.times}};
}

struct Report {
  const Options& options;
  std::string mirror;
  offline::RunResult result;
  RunRecord run;
  offline::RunHistory before;

  bool left() const { return !result.attempts.empty(); }
  Json json() const;
  std::string text() const;
  std::string attempts_text() const;
};

Json Report::json() const {
  auto attempts = Json::array();
  for (const auto& one : result.attempts.all()) attempts.push_back(to_json(one));
  Json words = Json::array();
  for (const auto& word : options.command) words.push_back(printable(word));
  Json missed = Json::object();
  for (const auto& [target, times] : result.mirror.missed) missed[printable(target)] = times;
  Json doors = Json::object();
  for (const auto& [path, times] : result.used_doors) doors[printable(path)] = times;
  Json out = {{"command", words},     {"good", !left() && result.status == 0},     {"left_network", left()},
              {"attempts", attempts}, {"attempts_total", result.attempts.total()}, {"run", to_json(run)},
              {"used_doors", doors}};
  if (!mirror.empty()) {
    out["mirror"] = {{"url", mirror},
                     {"answers_known", result.mirror.answers_known},
                     {"failed_connections", result.mirror.failed_connections},
                     {"errors", result.mirror.errors},
                     {"sent", result.mirror.sent},
                     {"missed", missed}};
  }
  if (before.first) out["first"] = to_json(*before.first);
  if (before.last) out["previous"] = to_json(*before.last);
  return out;
}

enum class Answers : std::uint8_t { counted, unknown };

std::vector<std::string> row(const std::string& name, const RunRecord& run, Answers answers) {
  return {name,
          format_time(run.started),
          fmt::format("{:.1f} s", run.seconds),
          std::to_string(run.status),
          answers == Answers::counted ? std::to_string(run.hits) : "?",
          answers == Answers::counted ? std::to_string(run.misses) : "?",
          format_size(run.received)};
}

std::string Report::attempts_text() const {
  std::vector<std::vector<std::string>> rows{{"PID", "PROGRAM", "TRIED", "TARGET", "TIMES"}};
  for (const auto& one : result.attempts.all()) {
    rows.push_back({one.pid == 0 ? "?" : std::to_string(one.pid), printable(one.program),
                    std::string(name_of(one.kind)), printable(one.target), std::to_string(one.times)});
  }
  auto out = format_table(rows);
  if (result.attempts.left_out() > 0) out += fmt::format("and {} more\n", result.attempts.left_out());
  return out;
}

std::string Report::text() const {
  std::vector<std::vector<std::string>> rows{{"RUN", "STARTED", "TOOK", "STATUS", "HITS", "MISSES", "FROM THE MIRROR"}};
  if (before.first) rows.push_back(row("first", *before.first, Answers::counted));
  if (before.last && before.last->started != before.first->started)
    rows.push_back(row("last", *before.last, Answers::counted));
  rows.push_back(row("this", run, result.mirror.answers_known ? Answers::counted : Answers::unknown));
  auto out = format_table(rows);
  for (const auto& [target, times] : result.mirror.missed) {
    out +=
        fmt::format("not on the mirror: {}{}\n", printable(target), times > 1 ? fmt::format(" ({} times)", times) : "");
  }
  if (result.mirror.failed_connections > 0) {
    out += fmt::format("the mirror {} was not reached {}\n", mirror, counted(result.mirror.failed_connections, "time"));
  }
  for (const auto& [path, times] : result.used_doors) {
    out += fmt::format("allowed: {}, {}; what stands behind it has its own network\n", printable(path),
                       counted(times, "time"));
  }
  return out;
}

std::string mirror_of(const Invocation& invocation, const Options& options) {
  if (options.mirror == "none") return {};
  if (!options.mirror.empty()) return checked_mirror_url(options.mirror);
  // Where a mirror is served from this installation, it is that one.
  const auto site = invocation.site();
  const bool serves = site.exists() && (site.config().zone == Zone::ingest || site.config().zone == Zone::production);
  return serves ? mirror_url(site) : std::string();
}

/// Clients whose list cannot be had are left as they are.
offline::MirrorLists lists_of(const HttpAddress& mirror, Reporter& reporter) {
  const auto wanted = offline::wanted_lists();
  auto out = offline::ask_mirror(mirror, wanted);
  std::set<std::string> reasons(out.trouble.begin(), out.trouble.end());
  const auto why = reasons.empty() ? std::string() : fmt::format(": {}", fmt::join(reasons, "; "));
  std::vector<std::string_view> without;
  if (wanted.apt && !out.apt) without.emplace_back("apt");
  if (wanted.rpm && !out.rpm) without.emplace_back("dnf");
  if (wanted.charts && !out.charts) without.emplace_back("helm");
  if (wanted.images && !out.registries) without.emplace_back("podman");
  if (!without.empty()) {
    reporter.note(fmt::format("{} left as {}, for the mirror does not say what it has of theirs{}",
                              fmt::join(without, ", "), without.size() > 1 ? "they are" : "it is", why));
  }
  return out;
}

/// What the user calls repositories of charts: names in the file that helm would read.
std::vector<std::string> chart_repositories(const std::map<std::string, std::string>& environment) {
  const auto variable = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  fs::path file = variable("HELM_REPOSITORY_CONFIG");
  if (file.empty()) {
    fs::path folder = variable("HELM_CONFIG_HOME");
    if (folder.empty() && !variable("XDG_CONFIG_HOME").empty()) folder = fs::path(variable("XDG_CONFIG_HOME")) / "helm";
    if (folder.empty()) folder = fs::path(variable("HOME")) / ".config/helm";
    file = folder / "repositories.yaml";
  }
  std::vector<std::string> out;
  try {
    const auto list = parse_yaml(read_file(file, YamlLimits{}.max_bytes), file.string());
    for (const auto& one : array_member(list, "repositories", file.string()))
      out.push_back(string_member(one, "name", file.string()));
  } catch (const Error&) {
    out.clear();  // none, or none that helm would take
  }
  return out;
}

void remember(Report& report, Reporter& reporter) {
  const auto folder = offline::history_folder();
  if (!folder) return;
  const auto here = fs::current_path();
  const auto file = offline::history_file(*folder, report.options.command, here);
  report.before = offline::read_history(file);
  try {
    offline::add_to_history(file, report.before, report.run, report.options.command, here);
  } catch (const Error& error) {
    reporter.warn(fmt::format("this run is not remembered: {}", error.message()));
  }
}

void require_socket(const std::string& door) {
  if (!door.starts_with('/')) {
    throw Error(ErrorCode::usage, fmt::format("--allow-socket: '{}' is no absolute path", printable(door)),
                "programs name such a socket from folders of their own: write the whole path, /run/docker.sock");
  }
  std::error_code ignored;
  if (fs::is_socket(door, ignored)) return;
  throw Error(ErrorCode::usage, fmt::format("--allow-socket: there is no socket '{}'", printable(door)),
              "start the program that answers there first, or correct the path; a socket that the command makes itself "
              "needs no option");
}

void run(Invocation& invocation, const Options& options) {
  offline::RunSpec spec;
  spec.command.argv = options.command;
  spec.allowed_doors = options.doors;
  for (const auto& door : options.doors) require_socket(door);
  const auto mirror = mirror_of(invocation, options);
  if (!mirror.empty()) spec.mirror = HttpAddress::parse(mirror);
  const TemporaryFolder settings("liftlock-offline");
  if (!options.keep_settings) {
    const auto lists = spec.mirror ? lists_of(*spec.mirror, invocation.reporter()) : offline::MirrorLists();
    const auto environment = quiet::look_at_self().environment;
    const auto names = lists.charts ? chart_repositories(environment) : std::vector<std::string>();
    const auto clients = offline::client_settings(mirror, settings.path(), environment, lists, names);
    spec.command.set_environment = clients.set;
    spec.command.unset_environment = clients.unset;
    // The command itself is looked up in our PATH, what it starts in its own.
    auto& program = spec.command.argv.at(0);
    const auto ours = clients.programs / program;
    if (!clients.programs.empty() && program.find('/') == std::string::npos && fs::exists(ours)) {
      if (::access(ours.c_str(), X_OK) == 0) {
        program = ours.string();
      } else {
        invocation.reporter().warn(
            fmt::format("'{}' is mounted noexec, so that {} is not led to the mirror: set TMPDIR to another folder",
                        settings.path().parent_path().string(), program));
      }
    }
  }
  const bool prints_report = is_standard_output(options.report);
  if (invocation.json() || prints_report) spec.command.output = offline::CutOffSpec::Output::all_to_stderr;

  const auto started = now();
  Report report{.options = options, .mirror = mirror, .result = offline::run(spec), .run = {}, .before = {}};
  report.run = record_of(report.result, started);
  remember(report, invocation.reporter());
  // With --json it goes to standard output anyway, once.
  if (!options.report.empty() && !(invocation.json() && prints_report))
    write_output(options.report, dump_json(report.json()));

  // Standard output is the command's own, which somebody may read.
  const auto say = [](const std::string& text) { fmt::print(stderr, "{}", printable_lines(text)); };
  if (invocation.json()) {
    invocation.print(report.json(), [] { return std::string(); });
  } else {
    const auto text = report.text();
    for (const auto line : split(text, '\n')) {
      if (!line.empty()) invocation.reporter().note(line);
    }
    if (report.left()) say(report.attempts_text());
  }
  if (!report.left()) {
    invocation.set_status(report.result.status);
    if (report.result.status != 0 && mirror.empty() && !options.keep_settings) {
      invocation.reporter().note(
          "there was no mirror, and clients were told so (PIP_NO_INDEX=1, npm_config_offline=true, GOPROXY=off, …): "
          "--mirror URL points them at one, --keep-settings leaves their settings alone");
    }
    return;
  }
  const auto total = report.result.attempts.total();
  const auto message = fmt::format("{} to leave; the command itself ended with status {}", counted(total, "attempt"),
                                   report.result.status);
  if (!invocation.json()) throw Error(ErrorCode::left_network, message);
  invocation.set_status(static_cast<int>(info(ErrorCode::left_network).error_class));
}

}  // namespace

void add_offline(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("offline", "Run a build without a network, with the mirror alone in reach");
  auto options = std::make_shared<Options>();
  command->add_option("COMMAND", options->command, "The command and its arguments, after --")->required();
  command
      ->add_option("--mirror", options->mirror,
                   "Address of the mirror, or none (default: the one that this installation serves, if it does)")
      ->type_name("URL");
  command
      ->add_option("--allow-socket", options->doors,
                   "A Unix socket of a program outside that may be used all the same, by its whole path:\n"
                   "/run/docker.sock")
      ->allow_extra_args(false)
      ->type_name("PATH");
  command->add_option("--report", options->report, "Also write the report here, as JSON; - for standard output")
      ->type_name("FILE");
  command->add_flag("--keep-settings", options->keep_settings,
                    "Leave the environment as it is: no settings of clients, no switches");
  command->footer(
      "The command runs in an empty network namespace: loopback, Unix sockets of its own, and the mirror at its usual\n"
      "address. pip, uv, npm, cargo, go, Maven, git, apt, dnf, zypper, helm and Hugging Face clients are pointed at\n"
      "it; telemetry, update and download switches are set (`liftlock render telemetry`). An attempt to leave fails\n"
      "at once, is listed with program and address or name, and makes the run fail with left-network (exit status 3),\n"
      "even where the program swallowed it. Otherwise the exit status is the command's. What it started ends with it.\n"
      "With --json or --report -, what it prints goes to standard error.\n"
      "Example: liftlock offline --mirror http://127.0.0.1:8480 -- make build");
  command->callback([&invocation, options] {
    options->command = words_of_command(std::move(options->command));
    run(invocation, *options);
  });
}

}  // namespace liftlock
